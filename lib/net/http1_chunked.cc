// The chunked transfer coding, RFC 9112 section 7.1, strict: CRLF everywhere, bounded extensions and trailers.
#include <algorithm>

#include "net/http1_fields.h"

namespace pilotlight::net {

namespace {

constexpr int kMaxDigits = 15;                     // of a chunk size; no overflow in 64 bits
constexpr std::size_t kMaxExtensions = 16 * 1024;  // bytes of extensions in one body
constexpr std::size_t kMaxTrailers = 8 * 1024;     // bytes
constexpr std::size_t kMaxTrailerFields = 64;
constexpr std::size_t kTrailersKept = 512;  // room that stays with the decoder for the next message

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool isControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

/// The length of a size line at the front of `text` that is there whole and has no extension, as nearly all; else 0.
std::size_t plainSizeLine(std::string_view text, std::uint64_t& size) {
  const std::size_t most = std::min<std::size_t>(text.size(), kMaxDigits);
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (int digit; i < most && (digit = hexDigit(text[i])) >= 0; ++i) value = value * 16 + static_cast<std::uint64_t>(digit);
  if (i == 0 || !text.substr(i).starts_with("\r\n")) return 0;
  size = value;
  return i + 2;
}

/// Fields that must be known before the body, or that say how to read it: not believed when they come after it.
constexpr std::string_view kNotInTrailers[] = {
    "accept",
    "accept-encoding",
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "trailer",
    "vary",
    "warning",
    "www-authenticate",
};

}  // namespace

bool mayTrail(std::string_view name) {
  if (isHopByHop(name) || startsWithIgnoreCase(name, "x-forwarded-")) return false;
  return std::ranges::none_of(kNotInTrailers, [&](std::string_view banned) { return equalsIgnoreCase(name, banned); });
}

void ChunkedDecoder::reset() {
  at_ = At::size;
  digits_ = 0;
  left_ = 0;
  extensions_ = trailerLine_ = trailerFields_ = 0;
  if (trailers_.empty()) return;
  if (trailers_.capacity() > kTrailersKept) std::string().swap(trailers_);
  trailers_.clear();
}

/// The line that just came is a field like any other.
bool ChunkedDecoder::endTrailerLine() {
  trailers_ += "\r\n";
  Cursor line(std::string_view(trailers_).substr(trailerLine_));
  Header field;
  if (++trailerFields_ > kMaxTrailerFields || readField(line, field) != Parse::done) return false;
  trailerLine_ = trailers_.size();
  return true;
}

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
    if (at_ == At::size && digits_ == 0) {
      if (const std::size_t line = plainSizeLine(input.substr(i), left_); line > 0) {
        i += line;
        at_ = left_ == 0 ? At::trailer : At::data;
        continue;
      }
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
        else if (isControl(c) || ++extensions_ > kMaxExtensions)
          return bad();
        break;
      case At::sizeLf:
        if (c != '\n') return bad();
        digits_ = 0;
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
          at_ = trailers_.size() == trailerLine_ ? At::endLf : At::trailerLf;
        } else {
          if (isControl(c) || trailers_.size() >= kMaxTrailers) return bad();
          trailers_ += c;
        }
        break;
      case At::trailerLf:
        if (c != '\n' || !endTrailerLine()) return bad();
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

bool parseTrailers(std::string_view text, Headers& out) {
  out.clear();
  Header field;
  for (Cursor cursor(text); cursor.left() > 0;) {
    if (readField(cursor, field) != Parse::done || field.name.empty()) return false;
    if (mayTrail(field.name) && !out.push(field)) return false;
  }
  return true;
}

}  // namespace pilotlight::net
