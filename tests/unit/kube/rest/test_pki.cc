#include "test_pki.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>

namespace pilotlight::kube {

namespace {

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

void require(bool ok) {
  if (!ok) std::abort();
}

std::string text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

void extend(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

TestIdentity make(const std::string& name, const std::vector<std::string>& names, const TestIdentity* authority) {
  static long serial = 1;
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Owned<X509> certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);

  Owned<X509> issuer;
  Owned<EVP_PKEY> signer;
  if (authority != nullptr) {
    const Owned<BIO> pem(BIO_new_mem_buf(authority->certificate.data(), static_cast<int>(authority->certificate.size())));
    issuer.reset(PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr));
    const Owned<BIO> secret(BIO_new_mem_buf(authority->key.data(), static_cast<int>(authority->key.size())));
    signer.reset(PEM_read_bio_PrivateKey(secret.get(), nullptr, nullptr, nullptr));
  }
  X509* by = issuer ? issuer.get() : certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(by));
  extend(certificate.get(), by, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
  std::string list;
  for (const std::string& each : names) list += (list.empty() ? "" : ",") + each;
  if (!list.empty()) extend(certificate.get(), by, NID_subject_alt_name, list);
  require(X509_sign(certificate.get(), signer ? signer.get() : key.get(), EVP_sha256()) > 0);

  const Owned<BIO> certificatePem(BIO_new(BIO_s_mem()));
  const Owned<BIO> keyPem(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(certificatePem.get(), certificate.get()) == 1);
  require(PEM_write_bio_PrivateKey(keyPem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {text(certificatePem.get()), text(keyPem.get())};
}

}  // namespace

TestIdentity makeAuthority(const std::string& name) {
  return make(name, {}, nullptr);
}

TestIdentity issue(const TestIdentity& authority, const std::string& commonName, const std::vector<std::string>& names) {
  return make(commonName, names, &authority);
}

}  // namespace pilotlight::kube
