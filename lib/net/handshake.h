// A client connection of net::Server until its TLS stands; then the protocol that ALPN chose takes its place. Internal to lib/net.
//
// What one costs is one signature, on the loop: 13 µs with ECDSA P-256, 200 µs with RSA 2048 (openssl speed). So a turn of the loop works
// on a few only, and requests of others go on in between.
#pragma once

#include <list>

#include "net/server_connection.h"

namespace pilotlight::net {

class Server::Handshake final : public Server::Peer, public Pollable {
 public:
  Handshake(Server::Impl& server, TlsAcceptor& acceptor, Fd fd, Address peer, std::size_t index);
  [[nodiscard]] bool begin();  ///< false: it can't be served, and may go at once
  void drain() override;
  void cut() override { end(TlsOutcome::gone); }
  void onReady(std::uint32_t events) override;

 private:
  void step();
  void established();
  void end(TlsOutcome outcome);  // without success
  void leave();

  Server::Impl& server_;
  TlsAcceptor& acceptor_;
  Fd fd_;
  const Address peer_;
  std::unique_ptr<Tls> tls_;
  std::list<Handshake*>::iterator place_;  // in server_.handshakes
  bool over_ = false;
  Timer resume_;
  Timer timer_;
};

}  // namespace pilotlight::net
