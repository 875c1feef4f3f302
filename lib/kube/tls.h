// TLS as a Kubernetes client wants it, on OpenSSL: which certificates it trusts, and the one it shows.
#pragma once

#include <expected>
#include <memory>
#include <mutex>
#include <string>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace pilotlight::kube {

struct TlsOptions {
  std::string caPem{};       ///< the only authorities trusted; empty: the system's
  std::string serverName{};  ///< expected in the server's certificate, and sent as SNI and Host; empty: the URL's host
  bool insecureSkipVerify = false;
};

/// Why the last verification failed: the library above reports "handshake failed" alone. Thread-safe.
class TlsVerdict {
 public:
  void set(std::string why);
  std::string take();

 private:
  std::mutex mutex_;
  std::string why_;  // guarded by mutex_
};

/// Sets up a context for a client: TLS 1.2 at least, `options`, and the certificate and key (PEM, or both empty).
/// The error says which part cannot be used, never its content. `verdict` must outlive the context's handshakes.
std::expected<void, std::string> setUpTls(ssl_ctx_st* context, const TlsOptions& options, const std::string& certificate,
                                          const std::string& key, TlsVerdict& verdict);
/// The same on a context made for it: what is wrong is known before the first connection.
std::expected<void, std::string> checkTls(const TlsOptions& options, const std::string& certificate, const std::string& key);

/// An address rather than a name: it must not be sent as SNI.
bool isIpLiteral(const std::string& host);

}  // namespace pilotlight::kube
