// The chunked transfer coding, RFC 9112 section 7.1, strict: CRLF everywhere, bounded extensions and trailers.
#include <algorithm>

#include "net/http1.h"

namespace pilotlight::net {

namespace {

constexpr int kMaxDigits = 15;                   // of a chunk size; no overflow in 64 bits
constexpr std::size_t kMaxOverhead = 16 * 1024;  // bytes of extensions and trailers in one body

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool isControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::feed(std::string_view input) {
  std::size_t i = 0;
  const auto bad = [&] { return Step{Parse::bad, i, {}}; };
  while (i < input.size()) {
    if (at_ == At::data) {
      const std::size_t take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - i));
      left_ -= take;
      if (left_ == 0) at_ = At::dataCr;
      return {Parse::more, i + take, input.substr(i, take)};
    }
    const char c = input[i++];
    switch (at_) {
      case At::size:
        if (const int digit = hexDigit(c); digit >= 0) {
          if (++digits_ > kMaxDigits) return bad();
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        } else if (digits_ == 0) {
          return bad();
        } else if (c == ';') {
          at_ = At::extension;
        } else if (c == '\r') {
          at_ = At::sizeLf;
        } else {
          return bad();
        }
        break;
      case At::extension:
        if (c == '\r')
          at_ = At::sizeLf;
        else if (isControl(c) || ++overhead_ > kMaxOverhead)
          return bad();
        break;
      case At::sizeLf:
        if (c != '\n') return bad();
        digits_ = 0;
        trailerEmpty_ = true;
        at_ = left_ == 0 ? At::trailer : At::data;
        break;
      case At::dataCr:
        if (c != '\r') return bad();
        at_ = At::dataLf;
        break;
      case At::dataLf:
        if (c != '\n') return bad();
        at_ = At::size;
        break;
      case At::trailer:
        if (c == '\r') {
          at_ = trailerEmpty_ ? At::endLf : At::trailerLf;
        } else {
          if (isControl(c) || ++overhead_ > kMaxOverhead) return bad();
          trailerEmpty_ = false;
        }
        break;
      case At::trailerLf:
        if (c != '\n') return bad();
        trailerEmpty_ = true;
        at_ = At::trailer;
        break;
      case At::endLf:
        if (c != '\n') return bad();
        return {Parse::done, i, {}};
      case At::data:
        break;
    }
  }
  return {Parse::more, i, {}};
}

}  // namespace pilotlight::net
