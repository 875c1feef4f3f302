#include "kube/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <utility>

namespace pilotlight::kube {

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* value) const {
    Free(value);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;
using Bio = Owned<BIO, BIO_free_all>;
using Certificate = Owned<X509, X509_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;

Bio memory(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

/// Never asks at a terminal: an encrypted key is an error.
int noPassword(char*, int, int, void*) {
  return 0;
}

std::unexpected<std::string> unusable(const char* what) {
  ERR_clear_error();
  return std::unexpected(std::string(what));
}

/// A store of its own: the context comes with the system's authorities, which have no say over a cluster with its own.
std::expected<void, std::string> trust(SSL_CTX* context, const std::string& pem) {
  X509_STORE* store = X509_STORE_new();
  SSL_CTX_set_cert_store(context, store);  // owns it
  const Bio bio = memory(pem);
  int count = 0;
  while (const Certificate authority{PEM_read_bio_X509(bio.get(), nullptr, noPassword, nullptr)}) {
    if (X509_STORE_add_cert(store, authority.get()) == 1) ++count;
  }
  ERR_clear_error();  // the end of the text
  if (count == 0) return unusable("the certificate authority holds no certificate in PEM form");
  return {};
}

std::expected<void, std::string> show(SSL_CTX* context, const std::string& certificate, const std::string& key) {
  const Bio chain = memory(certificate);
  const Certificate own(PEM_read_bio_X509(chain.get(), nullptr, noPassword, nullptr));
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) return unusable("the client certificate is not in PEM form");
  while (Certificate next{PEM_read_bio_X509(chain.get(), nullptr, noPassword, nullptr)}) {
    SSL_CTX_add1_chain_cert(context, next.get());
  }
  ERR_clear_error();
  const Bio text = memory(key);
  const Key secret(PEM_read_bio_PrivateKey(text.get(), nullptr, noPassword, nullptr));
  if (!secret) return unusable("the client key is not an unencrypted key in PEM form");
  if (SSL_CTX_use_PrivateKey(context, secret.get()) != 1) return unusable("the client key does not belong to the client certificate");
  return {};
}

/// Verifies as OpenSSL would, and notes why it failed. A chain that OpenSSL accepts and the caller's check of the name
/// does not has no error of its own.
int verify(X509_STORE_CTX* store, void* verdict) {
  const int verified = X509_verify_cert(store);
  if (verified > 0) return verified;
  const int error = X509_STORE_CTX_get_error(store);
  static_cast<TlsVerdict*>(verdict)->set(error == X509_V_OK || error == X509_V_ERR_UNSPECIFIED ? "its certificate is for another name"
                                                                                               : X509_verify_cert_error_string(error));
  return verified;
}

}  // namespace

void TlsVerdict::set(std::string why) {
  const std::lock_guard lock(mutex_);
  why_ = std::move(why);
}

std::string TlsVerdict::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(why_, {});
}

std::expected<void, std::string> setUpTls(SSL_CTX* context, const TlsOptions& options, const std::string& certificate,
                                          const std::string& key, TlsVerdict& verdict) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cert_verify_callback(context, verify, &verdict);
  if (!options.caPem.empty()) {
    if (auto trusted = trust(context, options.caPem); !trusted) return trusted;
  }
  if (certificate.empty() != key.empty()) return unusable("a client certificate needs its key, and a key its certificate");
  if (!certificate.empty()) return show(context, certificate, key);
  return {};
}

std::expected<void, std::string> checkTls(const TlsOptions& options, const std::string& certificate, const std::string& key) {
  const Owned<SSL_CTX, SSL_CTX_free> context(SSL_CTX_new(TLS_client_method()));
  TlsVerdict verdict;
  if (!context) return unusable("no TLS context could be made");
  return setUpTls(context.get(), options, certificate, key, verdict);
}

bool isIpLiteral(const std::string& host) {
  in6_addr ignored{};
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace pilotlight::kube
