#include "tls/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "tls/connection.h"

namespace pilotlight::tls {

namespace {

using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Result = std::expected<void, std::string>;

// Forward secrecy and authenticated encryption only, which is also all that HTTP/2 takes (RFC 9113 9.2.2). Those of TLS 1.3 all are.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

Bio openText(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int noPassword(char*, int, int, void*) {
  return 0;  // rather than asking at a terminal
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string textOf(const ASN1_STRING* text) {
  return lower({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))});
}

/// The DNS names; of a certificate without any, as old tools make them, its common name.
std::vector<std::string> namesOf(X509* certificate) {
  std::vector<std::string> names;
  auto* const all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i)
    if (const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i); name->type == GEN_DNS) names.push_back(textOf(name->d.dNSName));
  GENERAL_NAMES_free(all);
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (names.empty() && at >= 0) names.push_back(textOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  return names;
}

std::chrono::sys_seconds expiryOf(X509* certificate) {
  tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return {};
  return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
}

Context newContext(const Common& common) {
  Context context(SSL_CTX_new(TLS_server_method()));
  if (!context) return context;
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, kCiphers);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets keep no state here
  std::string keys(common.ticketKeys.begin(), common.ticketKeys.end());
  SSL_CTX_set_tlsext_ticket_keys(raw, keys.data(), keys.size());
  OPENSSL_cleanse(keys.data(), keys.size());
  prepare(raw, common.http2);
  return context;
}

Result useChain(SSL_CTX* context, std::string_view text, Certificate& into) {
  const Bio bio = openText(text);
  const X509Ptr own(PEM_read_bio_X509(bio.get(), nullptr, noPassword, nullptr));
  if (!own) return std::unexpected("the certificate is not PEM: " + takeOpensslError());
  if (SSL_CTX_use_certificate(context, own.get()) != 1) return std::unexpected("the certificate cannot be used: " + takeOpensslError());
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, noPassword, nullptr))
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      return std::unexpected("a certificate of the chain cannot be used: " + takeOpensslError());
    }
  const auto end = ERR_peek_last_error();
  if (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE)
    return std::unexpected("a certificate of the chain is not PEM: " + takeOpensslError());
  ERR_clear_error();
  into.names = namesOf(own.get());
  into.expires = expiryOf(own.get());
  return {};
}

Result useKey(SSL_CTX* context, std::string_view text) {
  const Bio bio = openText(text);
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassword, nullptr));
  if (!key) return std::unexpected("the key is not PEM without a password: " + takeOpensslError());
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return std::unexpected("the key does not belong to the certificate: " + takeOpensslError());
  return {};
}

}  // namespace

std::string takeOpensslError() {
  const auto code = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason ? reason : "error " + std::to_string(code);
}

std::expected<std::shared_ptr<const Certificate>, std::string> makeCertificate(std::string_view chain, std::string_view key,
                                                                               const Common& common) {
  ERR_clear_error();
  auto certificate = std::make_shared<Certificate>();
  certificate->context = newContext(common);
  if (!certificate->context) return std::unexpected("OpenSSL makes no context: " + takeOpensslError());
  if (auto used = useChain(certificate->context.get(), chain, *certificate); !used) return std::unexpected(used.error());
  if (auto used = useKey(certificate->context.get(), key); !used) return std::unexpected(used.error());
  return certificate;
}

CertificateSet::CertificateSet(std::vector<std::shared_ptr<const Certificate>> certificates) : certificates_(std::move(certificates)) {
  for (const auto& certificate : certificates_)
    for (const std::string& name : certificate->names) byName_.emplace(name, certificate->context.get());
}

SSL_CTX* CertificateSet::find(std::string_view host) const {
  std::string name = lower(host);
  auto found = byName_.find(name);
  const auto dot = name.find('.');
  if (found == byName_.end() && dot != std::string::npos) found = byName_.find("*" + name.substr(dot));
  return found == byName_.end() ? nullptr : found->second;
}

}  // namespace pilotlight::tls
