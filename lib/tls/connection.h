// TLS of one connection, by OpenSSL on a socket that does not block. Loop thread only.
//
// OpenSSL reads and writes through a BIO of ours: it sends without SIGPIPE, and knows when the socket is empty, so that a warm
// request costs one recv() and one send(). Buffers are OpenSSL's, and given back whenever they are empty.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "net/tls.h"
#include "tls/certificate.h"

namespace pilotlight::tls {

/// What every context needs for connections of this kind: names, protocols, buffers.
void prepare(SSL_CTX* context, bool http2);

class Connection final : public net::Tls {
 public:
  /// nullptr: memory is short.
  static std::unique_ptr<Connection> accept(int fd, std::shared_ptr<const CertificateSet> certificates);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Step handshake() override;
  net::TlsOutcome outcome() const override { return outcome_; }
  bool http2() const override;
  ssize_t receive(char* to, std::size_t room, bool& emptied) override;
  ssize_t send(const iovec* parts, int count) override;
  bool goodbye() override;

  const CertificateSet& certificates() const { return *certificates_; }
  void countMessage() { --patience_; }  ///< of TLS itself, received

 private:
  friend struct SocketBio;
  Connection(int fd, std::shared_ptr<const CertificateSet> certificates);
  ssize_t fail();

  const int fd_;
  const std::shared_ptr<const CertificateSet> certificates_;  // those of its beginning
  SSL* ssl_ = nullptr;
  net::TlsOutcome outcome_ = net::TlsOutcome::broken;
  bool blocked_ = false;  // by the socket, in this call
  bool short_ = false;    // the last recv() has emptied the socket
  bool broken_ = false, saidGoodbye_ = false;
  std::size_t begun_ = 0;  // bytes of a record that the socket had no room for
  int patience_ = 0;       // messages and records without data that are taken yet
};

}  // namespace pilotlight::tls
