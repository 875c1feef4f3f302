// A certificate with its key, as OpenSSL serves them. Immutable, thread-safe.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pilotlight::tls {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;

struct Certificate {
  Context context;
  std::vector<std::string> names;  ///< in lower case; "*.example.com" is one label and the rest
  std::chrono::sys_seconds expires{};
};

/// What all certificates of a server have in common.
struct Common {
  bool http2 = true;
  std::span<const unsigned char> ticketKeys;  ///< of kTicketKeys bytes
};
inline constexpr std::size_t kTicketKeys = 80;  // what OpenSSL 3 takes

/// PEM: the certificate with those that lead to its issuer, and the key. The error says which part cannot be used, and never holds
/// any of it.
std::expected<std::shared_ptr<const Certificate>, std::string> makeCertificate(std::string_view chain, std::string_view key,
                                                                               const Common& common);

/// Certificates by the names in them. The first one is shown to clients that ask for another name, or none.
class CertificateSet {
 public:
  /// Not empty. Where two have one name, the first one counts.
  explicit CertificateSet(std::vector<std::shared_ptr<const Certificate>> certificates);
  SSL_CTX* first() const { return certificates_.front()->context.get(); }
  SSL_CTX* find(std::string_view host) const;  ///< nullptr: none has this name

 private:
  const std::vector<std::shared_ptr<const Certificate>> certificates_;
  std::unordered_map<std::string, SSL_CTX*> byName_;
};

/// Why OpenSSL's last call on this thread failed; forgets it.
std::string takeOpensslError();

}  // namespace pilotlight::tls
