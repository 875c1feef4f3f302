// Field lines (RFC 9112 section 5, RFC 9110 section 5) and what they say about framing.
#include "net/http1_fields.h"

#include "net/http1_scan.h"

namespace pilotlight::net {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

/// Each byte of a word in lower case. Sums of seven bits don't reach the next byte: the top bit says "at least", and is
/// looked at for ASCII bytes only.
template <class Word>
Word lowerWord(Word word) {
  constexpr Word kOnes = static_cast<Word>(-1) / 0xff;
  const Word low = word & kOnes * 0x7f;
  const Word upper = (low + kOnes * (0x80 - 'A')) & ~(low + kOnes * (0x80 - 'Z' - 1)) & ~word & kOnes * 0x80;
  return word | upper >> 2;
}

template <class Word>
bool sameWord(std::string_view a, std::string_view b, std::size_t at) {
  Word left, right;
  std::memcpy(&left, a.data() + at, sizeof left);
  std::memcpy(&right, b.data() + at, sizeof right);
  return left == right || lowerWord(left) == lowerWord(right);
}

bool isBlank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && isBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && isBlank(text.back())) text.remove_suffix(1);
  return text;
}

/// Calls `each` for the comma-separated elements of a list field.
template <class Each>
void forEachElement(std::string_view list, Each each) {
  while (true) {
    const std::size_t comma = list.find(',');
    each(trim(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

Framing::Coding readCoding(std::string_view value) {
  if (equalsIgnoreCase(value, "chunked")) return Framing::Coding::chunked;
  const std::string_view last = trim(value.substr(value.rfind(',') + 1));
  return equalsIgnoreCase(last, "chunked") ? Framing::Coding::unknown : Framing::Coding::endless;
}

/// Digits only, at most 18 of them, so that no overflow is possible.
std::optional<std::uint64_t> parseLength(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

Parse readField(Cursor& cursor, Header& field) {
  const char* const end = cursor.end;
  const char* const colon = skip<CharClass::token>(cursor.at, end);
  if (colon == end) return Parse::more;
  if (colon == cursor.at && *colon == '\r' && end - colon > 1 && colon[1] == '\n') {
    field = {};
    cursor.at = colon + 2;
    return Parse::done;
  }
  if (colon == cursor.at || *colon != ':') return cursor.refuse();  // also obs-fold and a space before the colon
  const char* first = colon + 1;
  if (first != end && *first == ' ') ++first;  // as nearly everybody sends it
  while (first != end && isBlank(*first)) ++first;
  const char* const stop = skip<CharClass::value>(first, end);
  if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') return cursor.refuse();  // also a bare CR or LF
  const char* last = stop;
  while (last != first && isBlank(last[-1])) --last;
  field = {{cursor.at, colon}, {first, last}};
  cursor.at = stop + 2;
  return Parse::done;
}

bool Framing::take(const Header& field) {
  switch (field.name.size()) {
    case 10:
      if (isNamed(field.name, "connection"))
        forEachElement(field.value, [&](std::string_view element) {
          if (equalsIgnoreCase(element, "close")) close = true;
          if (equalsIgnoreCase(element, "keep-alive")) keepAlive = true;
          if (equalsIgnoreCase(element, "upgrade")) upgrade = true;
        });
      break;
    case 14:
      if (isNamed(field.name, "content-length")) {
        const auto value = parseLength(field.value);
        if (hasLength || !value) return false;
        hasLength = true;
        length = *value;
      }
      break;
    case 17:
      if (isNamed(field.name, "transfer-encoding")) {
        if (coding != Coding::none) return false;
        coding = readCoding(field.value);
      }
      break;
    default:
      break;
  }
  return true;
}

std::optional<std::string_view> findHeader(std::span<const Header> fields, std::string_view name) {
  for (const Header& field : fields)
    if (equalsIgnoreCase(field.name, name)) return field.value;
  return std::nullopt;
}

bool equalsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const std::size_t size = a.size();
  if (size < 4) {
    for (std::size_t i = 0; i < size; ++i)
      if (lower(a[i]) != lower(b[i])) return false;
    return true;
  }
  if (size < 8) return sameWord<std::uint32_t>(a, b, 0) && sameWord<std::uint32_t>(a, b, size - 4);
  for (std::size_t i = 0; i + 8 < size; i += 8)
    if (!sameWord<std::uint64_t>(a, b, i)) return false;
  return sameWord<std::uint64_t>(a, b, size - 8);
}

bool startsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equalsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

bool isHopByHop(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equalsIgnoreCase(name, "te");
    case 7:
      return equalsIgnoreCase(name, "upgrade");
    case 10:
      return equalsIgnoreCase(name, "connection") || equalsIgnoreCase(name, "keep-alive");
    case 16:
      return equalsIgnoreCase(name, "proxy-connection");
    case 17:
      return equalsIgnoreCase(name, "transfer-encoding");
    case 18:
      return equalsIgnoreCase(name, "proxy-authenticate");
    case 19:
      return equalsIgnoreCase(name, "proxy-authorization");
    default:
      return false;
  }
}

bool connectionNames(std::span<const Header> fields, std::string_view name) {
  bool found = false;
  for (const Header& field : fields) {
    if (!isNamed(field.name, "connection")) continue;
    forEachElement(field.value, [&](std::string_view element) { found = found || equalsIgnoreCase(element, name); });
  }
  return found;
}

bool connectionNamesAny(std::span<const Header> fields) {
  for (const Header& field : fields)
    if (isNamed(field.name, "connection") && !equalsIgnoreCase(field.value, "close") && !equalsIgnoreCase(field.value, "keep-alive"))
      return true;
  return false;
}

}  // namespace pilotlight::net
