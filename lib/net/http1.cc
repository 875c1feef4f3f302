// Message heads, after RFC 9112 sections 2-6 and RFC 9110 section 5.
#include "net/http1.h"

#include <cstring>

namespace pilotlight::net {

namespace {

constexpr std::uint8_t kToken = 1;   // tchar
constexpr std::uint8_t kValue = 2;   // field value: HTAB, SP, VCHAR, obs-text
constexpr std::uint8_t kTarget = 4;  // request target: VCHAR without '#', and obs-text
constexpr std::uint8_t kHost = 8;    // uri-host and port

constexpr std::array<std::uint8_t, 256> makeClasses() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (alnum) classes[c] |= kToken | kHost;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes[c] |= kValue;
    if (c > 0x20 && c != 0x7f && c != '#') classes[c] |= kTarget;
  }
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) classes[static_cast<unsigned char>(c)] |= kToken;
  for (char c : std::string_view("-._~!$&'()*+,;=%:[]")) classes[static_cast<unsigned char>(c)] |= kHost;
  return classes;
}
constexpr auto kClasses = makeClasses();

bool is(char c, std::uint8_t cls) {
  return kClasses[static_cast<unsigned char>(c)] & cls;
}

bool all(std::string_view text, std::uint8_t cls) {
  for (char c : text)
    if (!is(c, cls)) return false;
  return true;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
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

/// Reads lines that end in CRLF from the front of a buffer.
class Lines {
 public:
  explicit Lines(std::string_view data) : data_(data) {}
  /// `bad` on a bare LF, or a CR without LF.
  Parse next(std::string_view& line) {
    const std::string_view rest = data_.substr(at_);
    const void* found = std::memchr(rest.data(), '\n', rest.size());
    if (!found) return Parse::more;
    const std::size_t length = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
    if (length == 0 || rest[length - 1] != '\r') return Parse::bad;
    line = rest.substr(0, length - 1);
    at_ += length + 1;
    return Parse::done;
  }
  std::size_t at() const { return at_; }

 private:
  std::string_view data_;
  std::size_t at_ = 0;
};

/// What the fields say about framing; common to requests and responses.
struct Framing {
  bool hasLength = false, hasCoding = false, close = false, keepAlive = false;
  bool codingIsChunked = false;
  std::uint64_t length = 0;
};

/// One field line. False: refuse the message.
bool readField(std::string_view line, Headers& headers, Framing& framing, Header& field) {
  std::size_t colon = 0;
  while (colon < line.size() && is(line[colon], kToken)) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return false;  // also obs-fold and a space before the colon
  field = {line.substr(0, colon), trim(line.substr(colon + 1))};
  if (!all(field.value, kValue)) return false;
  if (!headers.push(field)) return false;
  switch (field.name.size()) {
    case 10:
      if (equalsIgnoreCase(field.name, "connection"))
        forEachElement(field.value, [&](std::string_view element) {
          if (equalsIgnoreCase(element, "close")) framing.close = true;
          if (equalsIgnoreCase(element, "keep-alive")) framing.keepAlive = true;
        });
      break;
    case 14:
      if (equalsIgnoreCase(field.name, "content-length")) {
        const auto length = parseLength(field.value);
        if (framing.hasLength || !length) return false;
        framing.hasLength = true;
        framing.length = *length;
      }
      break;
    case 17:
      if (equalsIgnoreCase(field.name, "transfer-encoding")) {
        if (framing.hasCoding) return false;
        framing.hasCoding = true;
        framing.codingIsChunked = equalsIgnoreCase(field.value, "chunked");
      }
      break;
    default:
      break;
  }
  return true;
}

/// "HTTP/1.0", "HTTP/1.1". Returns the minor version; -1 for another HTTP version, -2 for something else.
int readVersion(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.') return -2;
  if (text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') return -2;
  if (text[5] != '1' || text[7] > '1') return -1;
  return text[7] - '0';
}

bool validHost(std::string_view host) {
  return host.size() <= 255 && all(host, kHost);
}

void splitTarget(RequestHead& head) {
  const std::size_t mark = head.target.find('?');
  head.path = head.target.substr(0, mark);
  head.query = mark == std::string_view::npos ? std::string_view{} : head.target.substr(mark + 1);
}

/// Origin form as it is; absolute form is taken apart (its authority wins over Host). 0 or the status to refuse with.
int readTarget(RequestHead& head, std::string_view& authority) {
  if (!all(head.target, kTarget) || head.target.empty()) return 400;
  if (head.method == "CONNECT") return 501;
  if (head.target.front() == '/') return splitTarget(head), 0;
  if (head.target == "*") return head.method == "OPTIONS" ? (splitTarget(head), 0) : 400;
  constexpr std::string_view kScheme = "http://";
  if (!head.target.starts_with(kScheme)) return 400;
  const std::string_view rest = head.target.substr(kScheme.size());
  const std::size_t end = rest.find_first_of("/?");
  authority = rest.substr(0, end);
  if (authority.empty() || authority.find('@') != std::string_view::npos || !validHost(authority)) return 400;
  if (end == std::string_view::npos || rest[end] == '?') return 400;  // no path: nothing sends it, so nothing is guessed
  head.target = rest.substr(end);
  splitTarget(head);
  return 0;
}

int readRequestLine(std::string_view line, const HeadLimits& limits, RequestHead& head, std::string_view& authority) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos || first == 0 || first > 32) return 400;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return 400;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, second - first - 1);
  if (!all(head.method, kToken)) return 400;
  if (head.target.size() > limits.targetBytes) return 414;
  const int minor = readVersion(line.substr(second + 1));
  if (minor == -2) return 400;
  if (minor == -1) return 505;
  head.minor = minor;
  return readTarget(head, authority);
}

int finishRequest(RequestHead& head, const Framing& framing, bool hasHost, std::string_view authority) {
  if (!hasHost && head.minor == 1) return 400;
  if (!authority.empty()) {
    if (hasHost && !equalsIgnoreCase(authority, head.host)) return 400;
    head.host = authority;
  }
  if (framing.hasCoding) {
    if (framing.hasLength || head.minor == 0) return 400;
    if (!framing.codingIsChunked) return 501;
    head.body = BodyKind::chunked;
  } else if (framing.hasLength && framing.length > 0) {
    head.body = BodyKind::length;
    head.length = framing.length;
  }
  head.keepAlive = head.minor == 1 ? !framing.close : framing.keepAlive && !framing.close;
  return 0;
}

void resetHead(RequestHead& head) {
  head.method = head.target = head.path = head.query = head.host = {};
  head.headers.clear();
  head.minor = 1;
  head.body = BodyKind::none;
  head.length = 0;
  head.keepAlive = true;
  head.expectContinue = false;
  head.size = 0;
}

void resetHead(ResponseHead& head) {
  head.status = 0;
  head.reason = {};
  head.headers.clear();
  head.minor = 1;
  head.body = BodyKind::none;
  head.length = 0;
  head.keepAlive = true;
  head.size = 0;
}

}  // namespace

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Header& field : *this)
    if (equalsIgnoreCase(field.name, name)) return field.value;
  return std::nullopt;
}

bool equalsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool startsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equalsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

bool isHopByHop(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equalsIgnoreCase(name, "te");
    case 7:
      return equalsIgnoreCase(name, "trailer") || equalsIgnoreCase(name, "upgrade");
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

Parse parseRequestHead(std::string_view data, const HeadLimits& limits, RequestHead& head, int& status) {
  resetHead(head);
  const auto refuse = [&](int code) {
    status = code;
    return Parse::bad;
  };
  const auto more = [&] { return data.size() >= limits.bytes ? refuse(431) : Parse::more; };
  Lines lines(data);
  std::string_view line, authority;
  do {  // one empty line before a request is tolerated (RFC 9112 2.2)
    const Parse step = lines.next(line);
    if (step == Parse::bad) return refuse(400);
    if (step == Parse::more) {
      if (data.size() > limits.targetBytes + 64) return refuse(414);
      return more();
    }
  } while (line.empty() && lines.at() <= 2);
  if (const int code = readRequestLine(line, limits, head, authority)) return refuse(code);

  Framing framing;
  bool hasHost = false;
  for (;;) {
    const Parse step = lines.next(line);
    if (step == Parse::bad) return refuse(400);
    if (step == Parse::more) return more();
    if (lines.at() > limits.bytes) return refuse(431);
    if (line.empty()) break;
    if (head.headers.size() == limits.fields) return refuse(431);
    Header field;
    if (!readField(line, head.headers, framing, field)) return refuse(400);
    if (field.name.size() == 4 && equalsIgnoreCase(field.name, "host")) {
      if (hasHost || !validHost(field.value)) return refuse(400);
      hasHost = true;
      head.host = field.value;
    } else if (field.name.size() == 6 && equalsIgnoreCase(field.name, "expect")) {
      if (!equalsIgnoreCase(field.value, "100-continue")) return refuse(417);
      head.expectContinue = true;
    }
  }
  if (const int code = finishRequest(head, framing, hasHost, authority)) return refuse(code);
  head.expectContinue = head.expectContinue && head.minor == 1 && head.body != BodyKind::none;
  head.size = lines.at();
  return Parse::done;
}

Parse parseResponseHead(std::string_view data, bool toHead, ResponseHead& head) {
  resetHead(head);
  Lines lines(data);
  std::string_view line;
  if (const Parse step = lines.next(line); step != Parse::done) return step;
  if (line.size() < 12 || (line.size() > 12 && line[12] != ' ') || line[8] != ' ') return Parse::bad;
  const int minor = readVersion(line.substr(0, 8));
  if (minor < 0) return Parse::bad;
  head.minor = minor;
  for (std::size_t i = 9; i < 12; ++i) {
    if (line[i] < '0' || line[i] > '9') return Parse::bad;
    head.status = head.status * 10 + (line[i] - '0');
  }
  if (head.status < 100) return Parse::bad;
  if (line.size() > 13) head.reason = line.substr(13);
  if (!all(head.reason, kValue)) return Parse::bad;

  Framing framing;
  for (;;) {
    if (const Parse step = lines.next(line); step != Parse::done) return step;
    if (line.empty()) break;
    Header field;
    if (!readField(line, head.headers, framing, field)) return Parse::bad;
  }
  if (framing.hasCoding && (framing.hasLength || !framing.codingIsChunked || minor == 0)) return Parse::bad;
  head.keepAlive = minor == 1 ? !framing.close : framing.keepAlive && !framing.close;
  if (toHead || head.status < 200 || head.status == 204 || head.status == 304) {
    head.body = BodyKind::none;
    head.length = framing.length;  // what a GET would have had: passed on for HEAD
  } else if (framing.hasCoding) {
    head.body = BodyKind::chunked;
  } else if (framing.hasLength) {
    head.body = framing.length ? BodyKind::length : BodyKind::none;
    head.length = framing.length;
  } else {
    head.body = BodyKind::untilClose;
    head.keepAlive = false;
  }
  head.size = lines.at();
  return Parse::done;
}

std::string_view reasonPhrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace pilotlight::net
