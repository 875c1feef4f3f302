// Certificates made for a test, and a client that speaks TLS on a blocking socket.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <utility>

#include "../net/harness.h"

namespace pilotlight::tls::test {

struct Pair {
  std::string certificate, key;  // PEM
};

/// Self-signed, ECDSA P-256. `names`: as in "DNS:a.example,DNS:*.b.example".
inline Pair makePair(const std::string& names, int days = 30) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), rand());
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(certificate, key, EVP_sha256());
  const auto text = [](auto write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
  };
  Pair pair{text([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); }),
            text([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

struct ClientOptions {
  std::string sni, alpn;  // alpn: as on the wire, "\x02h2"
  int version = TLS1_3_VERSION;
  SSL_SESSION* session = nullptr;
  std::string ciphers;  // of TLS 1.2
  int receiveBuffer = 0;
};

class Client {
 public:
  enum class End { open, clean, cut, failed };

  explicit Client(const net::Address& to, ClientOptions options = {}) : socket_(to), context_(SSL_CTX_new(TLS_client_method())) {
    const timeval patience{10, 0};
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (options.receiveBuffer) setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUF, &options.receiveBuffer, sizeof options.receiveBuffer);
    SSL_CTX_set_security_level(context_, 0);  // to speak what is not to be taken
    SSL_CTX_set_min_proto_version(context_, options.version);
    SSL_CTX_set_max_proto_version(context_, options.version);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_set_app_data(context_, this);
    SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
      auto* const self = static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      SSL_SESSION_free(std::exchange(self->session_, session));
      return 1;
    });
    if (!options.ciphers.empty()) SSL_CTX_set_cipher_list(context_, options.ciphers.c_str());
    ssl = SSL_new(context_);
    SSL_set_fd(ssl, socket_.fd());
    if (!options.sni.empty()) SSL_set_tlsext_host_name(ssl, options.sni.c_str());
    if (!options.alpn.empty())
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(options.alpn.data()), static_cast<unsigned>(options.alpn.size()));
    if (options.session) SSL_set_session(ssl, options.session);
  }
  ~Client() {
    SSL_free(ssl);
    SSL_SESSION_free(session_);
    SSL_CTX_free(context_);
    ERR_clear_error();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connect() {
    ERR_clear_error();
    return SSL_connect(ssl) == 1;
  }
  bool send(std::string_view data) {
    ERR_clear_error();
    return SSL_write(ssl, data.data(), static_cast<int>(data.size())) == static_cast<int>(data.size());
  }
  /// Up to `ends`, or to the end.
  std::string readUntil(std::string_view ends) {
    std::string got;
    char buffer[16384];
    while (ends.empty() || !got.ends_with(ends)) {
      ERR_clear_error();
      const int n = SSL_read(ssl, buffer, sizeof buffer);
      if (n <= 0) {
        end_ = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN                           ? End::clean
               : ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? End::cut
                                                                                        : End::failed;
        break;
      }
      got.append(buffer, static_cast<std::size_t>(n));
    }
    return got;
  }
  std::string readAll() { return readUntil(""); }
  End end() const { return end_; }
  std::string certificateName() const {  // its first DNS name
    X509* certificate = SSL_get1_peer_certificate(ssl);
    auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    const ASN1_STRING* name = sk_GENERAL_NAME_value(names, 0)->d.dNSName;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name)), static_cast<std::size_t>(ASN1_STRING_length(name)));
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    return text;
  }
  std::string alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  /// What the server gave for the next time; read something before with TLS 1.3.
  SSL_SESSION* session() const { return session_; }
  net::test::RawClient& socket() { return socket_; }

  SSL* ssl = nullptr;

 private:
  net::test::RawClient socket_;
  SSL_CTX* context_;
  SSL_SESSION* session_ = nullptr;
  End end_ = End::open;
};

inline std::string get(Client& client, const std::string& target = "/") {
  if (!client.send("GET " + target + " HTTP/1.1\r\nHost: a.example\r\n\r\n")) return "not sent";
  return client.readUntil("GET " + target + " ");
}

}  // namespace pilotlight::tls::test
