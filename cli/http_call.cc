#include "cli/http_call.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "net/http1.h"
#include "net/socket.h"

namespace pilotlight::cli {

using kube::Error;
using kube::ErrorCode;

namespace {

using Failure = std::unexpected<std::string>;
template <class T>
using Or = std::expected<T, std::string>;

constexpr std::size_t kRead = 64 * 1024;

struct Place {
  bool tls = false;
  std::string host, port;
};

Or<Place> placeOf(const std::string& url) {
  Place place;
  const auto scheme = url.find("://");
  place.tls = url.starts_with("https://");
  if (!place.tls && !url.starts_with("http://")) return Failure(url + ": the URL must begin with http:// or https://");
  std::string authority = url.substr(scheme + 3, url.find('/', scheme + 3) - (scheme + 3));
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  place.port = colon == std::string::npos ? (place.tls ? "443" : "80") : authority.substr(colon + 1);
  place.host = authority.substr(0, colon);
  if (place.host.starts_with('[')) place.host = place.host.substr(1, place.host.size() - 2);
  if (place.host.empty() || place.port.empty()) return Failure(url + ": no host, or no port");
  return place;
}

Or<net::Fd> connectTo(const Place& place, std::chrono::milliseconds timeout) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found); code != 0)
    return Failure(fmt::format("{}: {}", place.host, ::gai_strerror(code)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
  std::string why = "no address";
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    net::Fd fd(::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol));
    const timeval limit{static_cast<time_t>(timeout.count() / 1000), static_cast<suseconds_t>(timeout.count() % 1000 * 1000)};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(fd.get(), each->ai_addr, each->ai_addrlen) == 0) return fd;
    why = std::generic_category().message(errno);
  }
  return Failure(fmt::format("cannot connect to {}:{}: {}", place.host, place.port, why));
}

/// A connection, with TLS or without.
class Connected {
 public:
  explicit Connected(net::Fd fd) : fd_(std::move(fd)) {}

  Or<void> handshake(const HttpCall& call, const std::string& host) {
    context_.reset(::SSL_CTX_new(::TLS_client_method()));
    ::SSL_CTX_set_default_verify_paths(context_.get());
    const auto done = kube::setUpTls(context_.get(), call.tls, call.credentials.certificate, call.credentials.key, verdict_);
    if (!done) return Failure(done.error());
    ssl_.reset(::SSL_new(context_.get()));
    const std::string& name = call.tls.serverName.empty() ? host : call.tls.serverName;
    const bool address = kube::isIpLiteral(name);
    ::SSL_set_verify(ssl_.get(), call.tls.insecureSkipVerify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    const bool set = address ? ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), name.c_str()) == 1
                             : ::SSL_set1_host(ssl_.get(), name.c_str()) == 1 && ::SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1;
    if (!set || ::SSL_set_fd(ssl_.get(), fd_.get()) != 1) return Failure("TLS cannot be set up for " + name);
    if (::SSL_connect(ssl_.get()) == 1) return {};
    const std::string why = verdict_.take();
    ::ERR_clear_error();
    return Failure("TLS handshake: " + (why.empty() ? std::string("the server refused it or is no TLS server") : why));
  }

  bool write(std::string_view text) {
    while (!text.empty()) {
      const auto limit = static_cast<int>(std::min<std::size_t>(text.size(), 1U << 30));
      const auto sent = ssl_ ? ::SSL_write(ssl_.get(), text.data(), limit) : ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// 0: the end; below: silence, or a broken connection.
  ssize_t read(char* to, std::size_t size) {
    if (!ssl_) return ::recv(fd_.get(), to, size, 0);
    const int got = ::SSL_read(ssl_.get(), to, static_cast<int>(size));
    if (got > 0) return got;
    const bool ended = ::SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN;
    ::ERR_clear_error();
    return ended ? 0 : -1;
  }

 private:
  net::Fd fd_;
  kube::TlsVerdict verdict_;
  std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_{nullptr, ::SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&::SSL_free)> ssl_{nullptr, ::SSL_free};
};

bool hasControl(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// The request's head; the error names what could not be written as one line.
Or<std::string> headOf(const HttpCall& call) {
  const auto& request = call.request;
  std::string head = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  if (hasControl(request.method + request.target) || request.target.find(' ') != std::string::npos)
    return Failure("the method or path has blanks or control characters: encode them (%20)");
  const auto add = [&](std::string_view name, std::string_view value) { head += fmt::format("{}: {}\r\n", name, value); };
  add("Host", call.host);
  for (const auto& [name, value] : request.headers) {
    if (hasControl(name) || hasControl(value)) return Failure(fmt::format("header \"{}\" has control characters", name));
    add(name, value);
  }
  if (!call.credentials.bearerToken.empty()) add("Authorization", "Bearer " + call.credentials.bearerToken);
  if (!request.contentType.empty()) add("Content-Type", request.contentType);
  if (!request.contentType.empty()) add("Content-Length", std::to_string(request.body.size()));
  add("Connection", "close");
  return head + "\r\n";
}

/// Reads one answer.
class Answer {
 public:
  Answer(Connected& connection, bool toHead, const AnswerHandler& handler) : connection_(connection), toHead_(toHead), handler_(handler) {}

  Or<void> read() {
    for (;;) {
      if (auto head = readHead(); !head) return head;
      const int status = head_.status;
      if (status < 200 && status != 101) {  // 100, 103: the answer comes later
        buffer_.erase(0, head_.size);
        continue;
      }
      kube::HttpResponse told{.status = status, .reason = std::string(head_.reason), .headers = {}, .body = {}};
      for (const auto& [name, value] : head_.headers) told.headers.emplace_back(name, value);
      handler_.onHead(told);
      body_ = head_.body;
      length_ = head_.length;
      buffer_.erase(0, head_.size);
      return readBody();
    }
  }

 private:
  Or<void> more() {
    const auto size = buffer_.size();
    buffer_.resize(size + kRead);
    const auto got = connection_.read(buffer_.data() + size, kRead);
    buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return Failure(errno == EAGAIN ? "no byte came in time (--timeout)" : "the connection broke");
    ended_ = got == 0;
    return {};
  }

  Or<void> readHead() {
    for (;;) {
      const auto parsed = net::parseResponseHead(buffer_, toHead_, head_);
      if (parsed == net::Parse::done) return {};
      if (parsed == net::Parse::bad) return Failure("the answer is not HTTP/1.1");
      if (ended_) return Failure("the connection was closed without an answer");
      if (auto got = more(); !got) return got;
    }
  }

  Or<void> readBody() {
    net::ChunkedDecoder chunks;
    for (;;) {
      std::string_view rest = buffer_;
      while (!rest.empty() && body_ == net::BodyKind::chunked) {
        const auto step = chunks.feed(rest);
        if (step.state == net::Parse::bad) return Failure("the answer's chunks are damaged");
        if (!step.data.empty() && !handler_.onBody(step.data)) return {};
        if (step.state == net::Parse::done) return {};
        rest.remove_prefix(step.consumed);
      }
      if (body_ == net::BodyKind::length) {
        const auto part = rest.substr(0, length_);
        length_ -= part.size();
        if (!part.empty() && !handler_.onBody(part)) return {};
      } else if (body_ != net::BodyKind::chunked && body_ != net::BodyKind::none && !rest.empty() && !handler_.onBody(rest)) {
        return {};
      }
      if (body_ == net::BodyKind::none || (body_ == net::BodyKind::length && length_ == 0)) return {};
      buffer_.clear();
      if (ended_) return body_ == net::BodyKind::untilClose ? Or<void>() : Failure("the answer broke off");
      if (auto got = more(); !got) return got;
    }
  }

  Connected& connection_;
  const bool toHead_;
  const AnswerHandler& handler_;
  std::string buffer_;
  net::ResponseHead head_;  // views into buffer_
  net::BodyKind body_ = net::BodyKind::none;
  std::uint64_t length_ = 0;
  bool ended_ = false;
};

}  // namespace

kube::Result<void> call(const HttpCall& call, const AnswerHandler& handler) {
  const auto fail = [&](ErrorCode code, const std::string& why) {
    return std::unexpected(Error{code, fmt::format("{} {}: {}", call.request.method, call.request.target, why)});
  };
  const auto place = placeOf(call.url);
  if (!place) return fail(ErrorCode::badRequest, place.error());
  const auto head = headOf(call);
  if (!head) return fail(ErrorCode::badRequest, head.error());
  auto fd = connectTo(*place, call.request.idleTimeout);
  if (!fd) return fail(ErrorCode::unavailable, fd.error());
  Connected connection(std::move(*fd));
  if (place->tls) {
    if (auto done = connection.handshake(call, place->host); !done) return fail(ErrorCode::unavailable, done.error());
  }
  // What cannot be sent is no error yet: the server may have answered before it had read everything.
  const bool sent = connection.write(*head) && connection.write(call.request.body);
  Answer answer(connection, call.request.method == "HEAD", handler);
  if (auto done = answer.read(); !done) return fail(ErrorCode::timeout, done.error() + (sent ? "" : "; the request was not taken whole"));
  return {};
}

}  // namespace pilotlight::cli
