// HTTP/1.1 messages as text (RFC 9112): heads and chunked coding. Strict: what could be read in two ways is refused.
// Nothing here allocates or does I/O; views point into the caller's buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pilotlight::net {

struct Header {
  std::string_view name, value;
};

/// First value with this name (case-insensitive); nullopt when absent.
std::optional<std::string_view> findHeader(std::span<const Header> fields, std::string_view name);

/// A bounded list of header fields in the order received. Its room is not cleared, so that making one costs nothing.
template <std::size_t Room>
class HeaderList {
 public:
  static constexpr std::size_t kMax = Room;
  HeaderList() {}
  const Header* begin() const { return fields_; }
  const Header* end() const { return fields_ + size_; }
  std::size_t size() const { return size_; }
  bool push(Header header) {
    if (size_ == kMax) return false;
    std::construct_at(fields_ + size_++, header);
    return true;
  }
  void clear() { size_ = 0; }
  std::optional<std::string_view> get(std::string_view name) const { return findHeader(*this, name); }

 private:
  union {
    Header fields_[Room];
  };
  std::size_t size_ = 0;
};

using Headers = HeaderList<128>;

enum class BodyKind : std::uint8_t {
  none,
  length,
  chunked,
  untilClose,
  tunnel,  ///< after 101: raw bytes both ways, until both sides have closed
};

struct RequestHead {
  std::string_view method, target;  ///< target in origin form: path and query
  std::string_view path, query;     ///< query without '?'
  std::string_view host;            ///< as sent, may hold a port
  /// The one protocol that the client would go on with ("websocket"): Upgrade, when Connection lists it, in HTTP/1.1 and
  /// without a body. Else empty; also for HTTP itself ("h2c"), since requests in a tunnel would pass unseen.
  std::string_view upgrade;
  Headers headers;
  int major = 1, minor = 1;  ///< HTTP/major.minor
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

/// On `bad`, `status` says how to answer: 400, 414, 417, 431, 501, 505.
/// `seen`: how much of `data` was there in an earlier call that said `more`; a head that comes in many small parts is then
/// not read anew for each of them.
Parse parseRequestHead(std::string_view data, const HeadLimits& limits, RequestHead& head, int& status, std::size_t seen = 0);
/// `toHead`: the request was HEAD (no body follows whatever the fields say).
Parse parseResponseHead(std::string_view data, bool toHead, ResponseHead& head, std::size_t seen = 0);

/// Decodes chunked bodies in place of the input. Extensions are dropped, trailers kept: at most 8 KiB and 64 fields of them.
/// Allocates for trailers only.
class ChunkedDecoder {
 public:
  struct Step {
    Parse state = Parse::more;  ///< done: the last chunk and trailers are read
    std::size_t consumed = 0;   ///< of the input
    std::string_view data;      ///< payload within the input; may be empty
  };
  /// Call until `consumed` covers the input or the state is not `more`.
  Step feed(std::string_view input);
  /// Once done: the trailer section, each line with its CRLF, for parseTrailers(). Usually empty. Valid until reset().
  std::string_view trailerText() const { return trailers_; }
  void reset();

 private:
  enum class At : std::uint8_t { size, extension, sizeLf, data, dataCr, dataLf, trailer, trailerLf, endLf };
  bool endTrailerLine();

  At at_ = At::size;
  int digits_ = 0;
  std::uint64_t left_ = 0;
  std::size_t extensions_ = 0;   // bytes, bounded
  std::size_t trailerLine_ = 0;  // where the current one begins in trailers_
  std::size_t trailerFields_ = 0;
  std::string trailers_;
};

/// Fills `out` with the fields of a trailer section, views into `text`. False: malformed, refuse the message. Fields that
/// have no place in a trailer (framing, routing, authentication, request modifiers, content handling: RFC 9110 6.5.1) are
/// left out.
bool parseTrailers(std::string_view text, Headers& out);

bool equalsIgnoreCase(std::string_view a, std::string_view b);
bool startsWithIgnoreCase(std::string_view text, std::string_view prefix);
/// Connection, Keep-Alive, Proxy-*, TE, Transfer-Encoding, Upgrade: fields that end at this hop.
bool isHopByHop(std::string_view name);
/// Whether Connection names a field, which then ends at this hop as well (RFC 9110 7.6.1).
bool connectionNames(std::span<const Header> fields, std::string_view name);
/// Whether it names any: more than close or keep-alive. If not, there is no need to look each one up.
bool connectionNamesAny(std::span<const Header> fields);
/// "Not Found" for 404; "Unknown" otherwise.
std::string_view reasonPhrase(int status);

}  // namespace pilotlight::net
