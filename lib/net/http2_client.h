// One HTTP/2 upstream connection of net::ClientPool. Internal to lib/net.
#pragma once

#include "net/client_connection.h"
#include "net/http2_stream.h"

namespace pilotlight::net {

class ClientPool::Http2Connection final : public Http2Session {
 public:
  class Stream;  // http2_call.h

  Http2Connection(Impl& pool, Peer& peer, std::size_t index);

  std::size_t index;  // in pool.http2
  void connect(const Peer& peer);
  bool hasRoom() const;
  /// Has streams, or is new: not one that the peer may have closed while it was idle.
  bool fresh() const { return connecting() || !streams().empty(); }
  bool idle() const { return !connecting() && !closed() && streams().empty(); }
  /// Null: this connection takes no more streams after all.
  ClientCall* start(const ClientRequest& request, ClientHandler& handler);
  /// The peer leaves the pool: ends when the open calls have. No effect for other peers' connections.
  void orphanFrom(const Peer& peer);
  void close();  ///< its calls are cancelled

  // For its streams
  Impl& pool() { return pool_; }
  bool abandoned() const { return abandoned_; }
  ClientFailure noConnection() const { return noConnection_; }  ///< why
  std::uint64_t answers() const { return answers_; }            ///< completed, ever
  void answered() { ++answers_; }
  using Http2Session::failed;
  using Http2Session::reached;

 private:
  Http2Stream* accept(std::int32_t) override { return nullptr; }
  void recycle(std::unique_ptr<Http2Stream> stream) override;
  void gone() override;
  void onPeerSettings() override;
  void onPeerGoaway() override { retire(); }
  void onQuiet() override;
  void retire();  // no new streams

  Impl& pool_;  // may go before this object, but not before gone()
  Peer* peer_;  // null: takes no new streams
  ClientFailure noConnection_ = ClientFailure::connect;
  bool abandoned_ = false;  // nobody wants to hear of the calls' ends
  std::uint64_t answers_ = 0;
};

}  // namespace pilotlight::net
