// The TLS of a connection as the server sees it. lib/tls does it with OpenSSL; the static shim has none.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace pilotlight::net {

/// How a handshake ended.
enum class TlsOutcome : std::uint8_t {
  full,
  resumed,
  gone,      ///< the client left, or never spoke
  timeout,   ///< not done in time
  crowded,   ///< the oldest of too many at once
  notTls,    ///< plain HTTP or noise
  version,   ///< the client speaks no version of ours
  cipher,    ///< no cipher, curve or signature in common
  protocol,  ///< neither HTTP/1.1 nor HTTP/2 by ALPN
  refused,   ///< the client broke off with an alert: it does not trust the certificate, for example
  broken,    ///< anything else that is wrong with what the client sent
};
inline constexpr std::size_t kTlsOutcomes = 11;

/// Of one accepted socket, which it does not own. Loop thread only.
class Tls {
 public:
  enum class Step : std::uint8_t { done, wait, failed };

  virtual ~Tls() = default;
  /// As far as it goes. `wait`: again when the socket is readable or writable.
  virtual Step handshake() = 0;
  virtual TlsOutcome outcome() const = 0;  ///< after `done` or `failed`
  virtual bool http2() const = 0;          ///< agreed on by ALPN

  // After the handshake
  /// Like recv(); 0 is the client's close_notify, and an end without it an error. `emptied`: nothing is left until the socket is
  /// readable anew.
  virtual ssize_t receive(char* to, std::size_t room, bool& emptied) = 0;
  /// Like sendmsg(). After EAGAIN the next call begins with the same bytes, and has no fewer.
  virtual ssize_t send(const iovec* parts, int count) = 0;
  /// Sends close_notify, once. False: the socket takes no more now.
  virtual bool goodbye() = 0;
};

/// Thread-safe.
class TlsAcceptor {
 public:
  virtual std::unique_ptr<Tls> accept(int fd) = 0;  ///< nullptr: memory is short
  virtual void count(TlsOutcome outcome) = 0;

 protected:
  ~TlsAcceptor() = default;
};

}  // namespace pilotlight::net
