// The head of a request: RFC 9113 8.3.1 on top of what nghttp2 checks (order, number and presence of pseudo fields, characters
// of names and values, one Content-Length of digits, no field of HTTP/1.1 connections).
#include <charconv>

#include "net/http1_fields.h"
#include "net/http1_scan.h"
#include "net/http2_exchange.h"

namespace pilotlight::net {

namespace {
constexpr std::size_t kMethodBytes = 32;
}

void Server::Http2Connection::Stream::refuse(int status) {
  if (refusal_ == 0) refusal_ = status;
}

bool Server::Http2Connection::Stream::onField(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (state_ != State::head) return keepTrailer(name, value);
  const HeadLimits& limits = connection_->server().options.head;
  if (textOf(name) == ":path" && textOf(value).size() > limits.targetBytes) refuse(414);
  if (!headSize_.add(textOf(name), textOf(value), limits.bytes, limits.fields)) refuse(431);
  if (refusal_ != 0) return true;  // answered when the head has ended
  if (textOf(name).front() == ':')
    takePseudo(textOf(name), held_.hold(value));
  else
    takeRegular(held_.hold(name), held_.hold(value));
  return true;
}

void Server::Http2Connection::Stream::takePseudo(std::string_view name, std::string_view value) {
  if (name == ":method")
    head_.method = value;
  else if (name == ":path")
    head_.target = value;
  else if (name == ":authority")
    authority_ = value;
  else if (name == ":protocol")
    protocol_ = value;
}

void Server::Http2Connection::Stream::takeRegular(std::string_view name, std::string_view value) {
  if (name == "cookie") {  // may come in parts (RFC 9113 8.2.3)
    cookies_.append(cookies_.empty() ? "" : "; ").append(value);
    return;
  }
  if (name == "host") {
    hostField_ = value;
  } else if (name == "expect") {
    if (!equalsIgnoreCase(value, "100-continue")) return refuse(417);
    head_.expectContinue = true;
  } else if (name == "content-length") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), head_.length);
    if (error != std::errc{} || end != value.data() + value.size()) return refuse(400);
    hasLength_ = true;
  }
  if (!head_.headers.push({name, value})) refuse(431);
}

void Server::Http2Connection::Stream::readHead(bool last) {
  if (refusal_ != 0) return;
  if (!cookies_.empty() && !head_.headers.push({"cookie", cookies_})) return refuse(431);
  const bool connect = !protocol_.empty();
  readTargetOf(connect);
  readHost();
  head_.major = 2;
  head_.size = headSize_.bytes;
  if (connect || last)
    head_.body = BodyKind::none;
  else if (hasLength_)
    head_.body = head_.length > 0 ? BodyKind::length : BodyKind::none;
  else
    head_.body = BodyKind::chunked;
  if (head_.body != BodyKind::length) head_.length = 0;
  head_.expectContinue = head_.expectContinue && head_.body != BodyKind::none;
}

/// `connect`: the extended kind (RFC 8441), which is to HTTP/2 what Upgrade is to HTTP/1.1.
void Server::Http2Connection::Stream::readTargetOf(bool connect) {
  if (head_.method.size() > kMethodBytes || !all<CharClass::method>(head_.method) || !all<CharClass::target>(head_.target))
    return refuse(400);
  if (!connect && head_.method == "CONNECT") return refuse(501);
  if (connect) {
    if (!equalsIgnoreCase(protocol_, "websocket")) return refuse(501);
    head_.method = "GET";
    head_.upgrade = protocol_;
    // What a WebSocket server of HTTP/1.1 wants to see; it keeps caches of old from answering, of which there is none here.
    head_.headers.push({"sec-websocket-key", "cGlsb3RsaWdodC1oMi1rZXk="});
  }
  std::string_view absolute;
  if (const int status = readTarget(head_, absolute)) return refuse(status);
  if (!absolute.empty()) refuse(400);
}

void Server::Http2Connection::Stream::readHost() {
  head_.host = authority_.empty() ? hostField_ : authority_;
  if (!validHost(head_.host) || (!hostField_.empty() && !equalsIgnoreCase(hostField_, head_.host))) refuse(400);
}

}  // namespace pilotlight::net
