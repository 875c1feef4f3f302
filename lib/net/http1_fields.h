// Field lines, common to heads and trailers, and what they say about framing. Internal to lib/net.
#pragma once

#include <cstring>

#include "net/http1.h"

namespace pilotlight::net {

/// The part of a message not read yet.
struct Cursor {
  const char* at;
  const char* end;

  explicit Cursor(std::string_view data) : at(data.data()), end(data.data() + data.size()) {}
  std::size_t left() const { return static_cast<std::size_t>(end - at); }
  /// The verdict on a line that can't be right: `bad` once it has ended. So a message is refused at the same line end
  /// however it was cut on its way.
  [[gnu::cold, gnu::noinline]] Parse refuse() const { return left() > 0 && std::memchr(at, '\n', left()) ? Parse::bad : Parse::more; }
};

/// Reads one field line. `done` with an empty name: the empty line that ends the section.
Parse readField(Cursor& cursor, Header& field);

struct Framing {
  enum class Coding : std::uint8_t {
    none,
    chunked,
    unknown,  ///< chunked after others: where it ends is known, what it holds is not
    endless,  ///< chunked is not the last: where the body ends is anybody's guess
  };
  Coding coding = Coding::none;
  bool hasLength = false;
  bool close = false, keepAlive = false, upgrade = false;  // options of Connection
  std::uint64_t length = 0;

  /// False: the message could be read in two ways.
  bool take(const Header& field);
};

/// A name or an address, and perhaps a port: "a.example", "127.0.0.1:80", "[::1]:80".
bool validHost(std::string_view host);
/// Fills path and query from method and target. Origin form as it is; absolute form is taken apart (its authority wins over
/// Host). 0 or the status to refuse with.
int readTarget(RequestHead& head, std::string_view& authority);
/// Whether a field may stand in a trailer section (RFC 9110 6.5.1).
bool mayTrail(std::string_view name);

/// Whether a name that has been read is this one; `known` is in lower case and has no punctuation but '-'.
template <std::size_t Size>
bool isNamed(std::string_view name, const char (&known)[Size]) {
  if (name.size() != Size - 1) return false;
  unsigned difference = 0;
  // A token has no control characters, so that bit 5 tells the case of letters and nothing else.
  for (std::size_t i = 0; i < Size - 1; ++i) difference |= static_cast<unsigned char>((name[i] | 0x20) ^ known[i]);
  return difference == 0;
}

}  // namespace pilotlight::net
