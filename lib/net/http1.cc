// Message heads, after RFC 9112 sections 2-6 and RFC 9110 section 5.
#include "net/http1_fields.h"
#include "net/http1_scan.h"

namespace pilotlight::net {

namespace {

constexpr std::size_t kMethodBytes = 32;

/// "HTTP/1.0", "HTTP/1.1": the minor version; -1 for another HTTP version, -2 for something else. `text`: eight bytes.
int readVersion(std::string_view text) {
  if (!text.starts_with("HTTP/") || text[6] != '.') return -2;
  if (text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') return -2;
  if (text[5] != '1' || text[7] > '1') return -1;
  return text[7] - '0';
}

void splitTarget(RequestHead& head) {
  const std::size_t mark = head.target.find('?');
  head.path = head.target.substr(0, mark);
  head.query = mark == std::string_view::npos ? std::string_view{} : head.target.substr(mark + 1);
}

}  // namespace

bool validHost(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  const char *at = host.data(), *const begin = at, *const end = at + host.size();
  if (*at == '[') {
    ++at;
    while (at != end && (is(*at, CharClass::host) || *at == ':')) ++at;
    if (at == end || *at != ']') return false;
    ++at;
  } else {
    at = skipShort<CharClass::host>(at, end);
  }
  if (at == end) return true;
  return *at == ':' && at != begin && skipShort<CharClass::digit>(at + 1, end) == end;
}

int readTarget(RequestHead& head, std::string_view& authority) {
  if (head.target.empty()) return 400;
  if (head.method == "CONNECT") return 501;
  if (head.target.front() == '/') return splitTarget(head), 0;
  if (head.target == "*") return head.method == "OPTIONS" ? (splitTarget(head), 0) : 400;
  constexpr std::string_view kScheme = "http://";
  if (!head.target.starts_with(kScheme)) return 400;
  const std::string_view rest = head.target.substr(kScheme.size());
  const std::size_t end = rest.find_first_of("/?");
  authority = rest.substr(0, end);
  if (!validHost(authority)) return 400;
  if (end == std::string_view::npos || rest[end] == '?') return 400;  // no path: nothing sends it, so nothing is guessed
  head.target = rest.substr(end);
  splitTarget(head);
  return 0;
}

namespace {

Parse readRequestLine(Cursor& cursor, const HeadLimits& limits, RequestHead& head, std::string_view& authority, int& status) {
  status = 400;
  const char* const end = cursor.end;
  const char* const space = skipShort<CharClass::method>(cursor.at, end);
  if (space == end) return Parse::more;
  if (*space != ' ' || space == cursor.at || static_cast<std::size_t>(space - cursor.at) > kMethodBytes) return cursor.refuse();
  const char* const stop = skip<CharClass::target>(space + 1, end);
  constexpr std::ptrdiff_t kRest = sizeof " HTTP/1.1\r\n" - 1;
  if (end - stop < kRest || stop[0] != ' ' || stop[kRest - 2] != '\r' || stop[kRest - 1] != '\n') return cursor.refuse();
  head.method = {cursor.at, space};
  head.target = {space + 1, stop};
  cursor.at = stop + kRest;
  const auto refuse = [&](int code) {
    status = code;
    return Parse::bad;
  };
  if (head.target.size() > limits.targetBytes) return refuse(414);
  head.minor = readVersion({stop + 1, 8});
  if (head.minor < 0) return refuse(head.minor == -1 ? 505 : 400);
  if (const int code = readTarget(head, authority)) return refuse(code);
  return Parse::done;
}

/// A protocol other than HTTP, named alone: "websocket", "name/version".
bool mayUpgradeTo(std::string_view protocol) {
  const std::size_t slash = protocol.find('/');
  if (slash != std::string_view::npos && !all<CharClass::token>(protocol.substr(slash + 1))) return false;
  const std::string_view name = protocol.substr(0, slash);
  return !name.empty() && all<CharClass::token>(name) && !startsWithIgnoreCase(name, "http") && !equalsIgnoreCase(name, "h2c");
}

/// What the fields of a request say; `head` gets their values.
struct RequestFields {
  Framing framing;
  bool hasHost = false, hasUpgrade = false;

  /// 0 or the status to refuse with.
  int take(const Header& field, RequestHead& head) {
    switch (field.name.size()) {
      case 4:
        if (!isNamed(field.name, "host")) return 0;
        if (hasHost || !validHost(field.value)) return 400;
        hasHost = true;
        head.host = field.value;
        return 0;
      case 6:
        if (!isNamed(field.name, "expect")) return 0;
        if (!equalsIgnoreCase(field.value, "100-continue")) return 417;
        head.expectContinue = true;
        return 0;
      case 7:
        if (!isNamed(field.name, "upgrade")) return 0;
        head.upgrade = hasUpgrade ? std::string_view{} : field.value;  // several: a choice that we leave alone
        hasUpgrade = true;
        return 0;
      case 10:
      case 14:
      case 17:
        return framing.take(field) ? 0 : 400;
      default:
        return 0;
    }
  }
};

int finishRequest(RequestHead& head, const RequestFields& fields, std::string_view authority) {
  const auto& [framing, hasHost, hasUpgrade] = fields;
  if (!hasHost && head.minor == 1) return 400;
  if (!authority.empty()) {
    if (hasHost && !equalsIgnoreCase(authority, head.host)) return 400;
    head.host = authority;
  }
  if (framing.coding != Framing::Coding::none) {
    if (framing.hasLength || head.minor == 0 || framing.coding == Framing::Coding::endless) return 400;
    if (framing.coding == Framing::Coding::unknown) return 501;
    head.body = BodyKind::chunked;
  } else if (framing.hasLength && framing.length > 0) {
    head.body = BodyKind::length;
    head.length = framing.length;
  }
  head.keepAlive = head.minor == 1 ? !framing.close : framing.keepAlive && !framing.close;
  head.expectContinue = head.expectContinue && head.minor == 1 && head.body != BodyKind::none;
  if (!framing.upgrade || head.minor == 0 || head.body != BodyKind::none || !mayUpgradeTo(head.upgrade)) head.upgrade = {};
  return 0;
}

void resetHead(RequestHead& head) {
  head.method = head.target = head.path = head.query = head.host = head.upgrade = {};
  head.headers.clear();
  head.major = head.minor = 1;
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

/// Whether a line ends in what is new: only then there is more to say than before.
bool hasLineEnd(std::string_view data, std::size_t seen) {
  return data.find('\n', seen) != std::string_view::npos;
}

/// "HTTP/1.1 200 OK"
Parse readStatusLine(Cursor& cursor, ResponseHead& head) {
  constexpr std::size_t kFixed = sizeof "HTTP/1.1 200" - 1;
  if (cursor.left() < kFixed + 2) return cursor.refuse();
  const char* const line = cursor.at;
  head.minor = readVersion({line, 8});
  if (head.minor < 0 || line[8] != ' ') return cursor.refuse();
  for (std::size_t i = 9; i < kFixed; ++i) {
    if (line[i] < '0' || line[i] > '9') return cursor.refuse();
    head.status = head.status * 10 + (line[i] - '0');
  }
  if (head.status < 100) return cursor.refuse();
  const char* reason = line + kFixed;
  const char* const stop = skip<CharClass::value>(reason, cursor.end);
  if (reason != stop) {
    if (*reason != ' ') return cursor.refuse();
    ++reason;
  }
  if (cursor.end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') return cursor.refuse();
  head.reason = {reason, stop};
  cursor.at = stop + 2;
  return Parse::done;
}

void frameResponse(const Framing& framing, bool toHead, ResponseHead& head) {
  head.keepAlive = head.minor == 1 ? !framing.close : framing.keepAlive && !framing.close;
  if (head.status == 101) {
    head.body = BodyKind::tunnel;
    head.keepAlive = false;
  } else if (toHead || head.status < 200 || head.status == 204 || head.status == 304) {
    head.body = BodyKind::none;
    head.length = framing.length;  // what a GET would have had: passed on for HEAD
  } else if (framing.coding == Framing::Coding::chunked) {
    head.body = BodyKind::chunked;
  } else if (framing.hasLength) {
    head.body = framing.length ? BodyKind::length : BodyKind::none;
    head.length = framing.length;
  } else {
    head.body = BodyKind::untilClose;
    head.keepAlive = false;
  }
}

}  // namespace

Parse parseRequestHead(std::string_view data, const HeadLimits& limits, RequestHead& head, int& status, std::size_t seen) {
  resetHead(head);
  const auto refuse = [&](int code) {
    status = code;
    return Parse::bad;
  };
  const auto more = [&] {
    if (data.size() > limits.targetBytes + 64 && !hasLineEnd(data, 2)) return refuse(414);
    return data.size() >= limits.bytes ? refuse(431) : Parse::more;
  };
  if (seen > 0 && !hasLineEnd(data, seen)) return more();
  Cursor cursor(data);
  if (data.starts_with("\r\n")) cursor.at += 2;  // one empty line before a request is tolerated (RFC 9112 2.2)
  std::string_view authority;
  if (const Parse step = readRequestLine(cursor, limits, head, authority, status); step != Parse::done)
    return step == Parse::bad ? step : more();

  RequestFields fields;
  for (Header field;;) {
    const Parse step = readField(cursor, field);
    if (step == Parse::more) return more();
    if (step == Parse::bad) return refuse(400);
    if (data.size() - cursor.left() > limits.bytes) return refuse(431);
    if (field.name.empty()) break;
    if (head.headers.size() == limits.fields || !head.headers.push(field)) return refuse(431);
    if (const int code = fields.take(field, head)) return refuse(code);
  }
  if (const int code = finishRequest(head, fields, authority)) return refuse(code);
  head.size = data.size() - cursor.left();
  return Parse::done;
}

Parse parseResponseHead(std::string_view data, bool toHead, ResponseHead& head, std::size_t seen) {
  resetHead(head);
  if (seen > 0 && !hasLineEnd(data, seen)) return Parse::more;
  Cursor cursor(data);
  if (const Parse step = readStatusLine(cursor, head); step != Parse::done) return step;
  Framing framing;
  for (Header field;;) {
    if (const Parse step = readField(cursor, field); step != Parse::done) return step;
    if (field.name.empty()) break;
    if (!head.headers.push(field) || !framing.take(field)) return Parse::bad;
  }
  const bool coded = framing.coding != Framing::Coding::none;
  if (coded && (framing.hasLength || framing.coding != Framing::Coding::chunked || head.minor == 0)) return Parse::bad;
  frameResponse(framing, toHead, head);
  head.size = data.size() - cursor.left();
  return Parse::done;
}

}  // namespace pilotlight::net
