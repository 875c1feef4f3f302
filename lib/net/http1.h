// HTTP/1.1 messages as text (RFC 9112): heads and chunked coding. Strict: what could be read in two ways is refused.
// Nothing here allocates or does I/O; views point into the caller's buffer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::net {

struct Header {
  std::string_view name, value;
};

/// A bounded list of header fields in the order received.
class Headers {
 public:
  static constexpr std::size_t kMax = 128;
  const Header* begin() const { return fields_.data(); }
  const Header* end() const { return fields_.data() + size_; }
  std::size_t size() const { return size_; }
  bool push(Header header) {
    if (size_ == kMax) return false;
    fields_[size_++] = header;
    return true;
  }
  void clear() { size_ = 0; }
  /// First value with this name (case-insensitive); nullopt when absent.
  std::optional<std::string_view> get(std::string_view name) const;

 private:
  std::array<Header, kMax> fields_;
  std::size_t size_ = 0;
};

enum class BodyKind : std::uint8_t { none, length, chunked, untilClose };

struct RequestHead {
  std::string_view method, target;  ///< target in origin form: path and query
  std::string_view path, query;     ///< query without '?'
  std::string_view host;            ///< as sent, may hold a port
  Headers headers;
  int minor = 1;  ///< HTTP/1.minor
  BodyKind body = BodyKind::none;
  std::uint64_t length = 0;  ///< with BodyKind::length
  bool keepAlive = true;
  bool expectContinue = false;
  std::size_t size = 0;  ///< bytes of the head
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  Headers headers;
  int minor = 1;
  BodyKind body = BodyKind::none;
  std::uint64_t length = 0;
  bool keepAlive = true;
  std::size_t size = 0;
};

enum class Parse : std::uint8_t { done, more, bad };

struct HeadLimits {
  std::size_t bytes = 16 * 1024;
  std::size_t targetBytes = 8 * 1024;
  std::size_t fields = 100;  ///< of a request; at most Headers::kMax
};

/// On `bad`, `status` says how to answer: 400, 414, 431, 501, 505.
Parse parseRequestHead(std::string_view data, const HeadLimits& limits, RequestHead& head, int& status);
/// `toHead`: the request was HEAD (no body follows whatever the fields say).
Parse parseResponseHead(std::string_view data, bool toHead, ResponseHead& head);

/// Decodes chunked bodies in place of the input. Trailers are read and dropped.
class ChunkedDecoder {
 public:
  struct Step {
    Parse state = Parse::more;  ///< done: the last chunk and trailers are read
    std::size_t consumed = 0;   ///< of the input
    std::string_view data;      ///< payload within the input; may be empty
  };
  /// Call until `consumed` covers the input or the state is not `more`.
  Step feed(std::string_view input);
  void reset() { *this = ChunkedDecoder{}; }

 private:
  enum class At : std::uint8_t { size, extension, sizeLf, data, dataCr, dataLf, trailer, trailerLf, endLf };
  At at_ = At::size;
  int digits_ = 0;
  std::uint64_t left_ = 0;
  std::size_t overhead_ = 0;  // bytes of extensions or trailers, bounded
  bool trailerEmpty_ = true;
};

bool equalsIgnoreCase(std::string_view a, std::string_view b);
bool startsWithIgnoreCase(std::string_view text, std::string_view prefix);
/// Connection, Keep-Alive, Proxy-*, TE, Trailer, Transfer-Encoding, Upgrade: fields that end at this hop.
bool isHopByHop(std::string_view name);
/// "Not Found" for 404; "Unknown" otherwise.
std::string_view reasonPhrase(int status);

}  // namespace pilotlight::net
