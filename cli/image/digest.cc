#include "cli/image/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <array>
#include <cstdlib>

namespace pilotlight::cli {

namespace {
/// Fails only without memory, or when it is called wrongly.
void check(bool done) {
  if (!done) std::abort();
}
}  // namespace

Sha256::Sha256() : context_(::EVP_MD_CTX_new()) {
  check(context_ != nullptr && ::EVP_DigestInit_ex(context_, ::EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() {
  ::EVP_MD_CTX_free(context_);
}

void Sha256::update(std::string_view part) {
  check(::EVP_DigestUpdate(context_, part.data(), part.size()) == 1);
}

std::string Sha256::digest() {
  std::array<unsigned char, 32> bytes{};
  check(::EVP_DigestFinal_ex(context_, bytes.data(), nullptr) == 1);
  std::string text = "sha256:";
  for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string sha256Of(std::string_view text) {
  Sha256 sum;
  sum.update(text);
  return sum.digest();
}

std::string gzip(std::string_view text) {
  constexpr int kGzip = 15 + 16;  // the largest window, with gzip's header and trailer
  z_stream stream{};
  check(::deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  check(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

}  // namespace pilotlight::cli
