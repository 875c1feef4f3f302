#include "callhome/signature.h"

// EVP would draw all of OpenSSL into the static shim.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>

namespace pilotlight::callhome {

namespace {

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;
using Block = std::array<unsigned char, SHA256_CBLOCK>;

Digest sha256(std::string_view first, std::string_view second) {
  SHA256_CTX context;
  Digest digest{};
  SHA256_Init(&context);
  SHA256_Update(&context, first.data(), first.size());
  SHA256_Update(&context, second.data(), second.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

template <class Bytes>
std::string_view text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace

std::string hmacSha256(std::string_view key, std::string_view message) {
  const Digest shortened = key.size() > SHA256_CBLOCK ? sha256(key, {}) : Digest{};
  if (key.size() > SHA256_CBLOCK) key = text(shortened);
  Block inner{}, outer{};
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const auto byte = static_cast<unsigned char>(i < key.size() ? key[i] : 0);
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  const Digest digest = sha256(text(outer), text(sha256(text(inner), message)));
  return std::string(text(digest));
}

// No name has a slash in it: no two of these are the same.
std::string functionKey(std::string_view master, std::string_view namespace_, std::string_view function) {
  return hex(hmacSha256(master, "pilotlight/call-home/function/" + std::string(namespace_) + "/" + std::string(function)));
}

std::string gatewayKey(std::string_view master) {
  return hex(hmacSha256(master, "pilotlight/call-home/gateway"));
}

std::string sign(std::string_view key, std::string_view body) {
  return hex(hmacSha256(key, body));
}

bool verify(std::string_view key, std::string_view body, std::string_view signature) {
  const std::string right = sign(key, body);
  if (signature.size() != right.size()) return false;
  int different = 0;
  for (std::size_t i = 0; i < right.size(); ++i) different |= right[i] ^ signature[i];
  return different == 0;
}

}  // namespace pilotlight::callhome
