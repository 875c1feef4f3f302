// One HTTP/2 client connection of net::Server. Internal to lib/net.
#pragma once

#include "net/http2_stream.h"
#include "net/server_connection.h"

namespace pilotlight::net {

class Server::Http2Connection final : public Server::Peer, public Http2Session {
 public:
  class Stream;  // http2_exchange.h

  Http2Connection(Server::Impl& server, Address peer, std::size_t index);
  void begin(Wire wire, std::string_view received);
  void drain() override { announceEnd(); }
  void cut() override { close(); }

  Server::Impl& server() { return server_; }
  const Address& peer() const { return peer_; }
  using Http2Session::announceEnd;
  using Http2Session::spend;

 private:
  Http2Stream* accept(std::int32_t id) override;
  void recycle(std::unique_ptr<Http2Stream> stream) override;
  void gone() override { server_.closed(*this); }

  Server::Impl& server_;  // may go before this object, but not before gone()
  const Address peer_;
};

}  // namespace pilotlight::net
