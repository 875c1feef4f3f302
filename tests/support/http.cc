#include "tests/support/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace pilotlight::test {

namespace {

using Clock = std::chrono::steady_clock;

std::unexpected<std::string> failure(const std::string& step) {
  return std::unexpected(step + ": " + std::strerror(errno));
}

// Waits for `events`; false with errno set when the deadline has passed.
bool ready(int fd, short events, Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd state{fd, events, 0};
  const int result = poll(&state, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
  if (result == 0) errno = ETIMEDOUT;
  return result > 0;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string wire(const HttpRequest& request) {
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + request.host + "\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return text + "\r\n" + request.body;
}

}  // namespace

std::string HttpResponse::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

void HttpConnection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  in_.clear();
}

std::expected<void, std::string> HttpConnection::connect(Deadline deadline) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return failure("socket");
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port_));
  inet_pton(AF_INET, ip_.c_str(), &address.sin_addr);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  if (errno != EINPROGRESS || !ready(fd_, POLLOUT, deadline)) return failure("connect");
  socklen_t size = sizeof errno;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &errno, &size);
  if (errno) return failure("connect");
  return {};
}

std::expected<void, std::string> HttpConnection::writeAll(std::string_view data, Deadline deadline) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN || !ready(fd_, POLLOUT, deadline)) {
      return failure("send");
    }
  }
  return {};
}

std::expected<bool, std::string> HttpConnection::readSome(Deadline deadline) {
  char buffer[16384];
  for (;;) {
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    if (size > 0) in_.append(buffer, static_cast<std::size_t>(size));
    if (size >= 0) return size > 0;
    if (errno != EAGAIN || !ready(fd_, POLLIN, deadline)) return failure("receive");
  }
}

std::expected<std::string, std::string> HttpConnection::take(std::size_t size, Deadline deadline) {
  while (in_.size() < size) {
    const auto more = readSome(deadline);
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected("the connection was closed in mid-answer");
  }
  std::string taken = in_.substr(0, size);
  in_.erase(0, size);
  return taken;
}

std::expected<std::string, std::string> HttpConnection::takeLine(Deadline deadline) {
  std::size_t end = 0;
  while ((end = in_.find("\r\n")) == std::string::npos) {
    const auto more = readSome(deadline);
    if (!more) return std::unexpected(more.error());
    if (!*more) return std::unexpected(in_.empty() ? "the connection was closed without an answer" : "closed in mid-head");
  }
  std::string line = in_.substr(0, end);
  in_.erase(0, end + 2);
  return line;
}

std::expected<void, std::string> HttpConnection::readChunks(std::string& body, Deadline deadline) {
  for (;;) {
    const auto sizeLine = takeLine(deadline);
    if (!sizeLine) return std::unexpected(sizeLine.error());
    const std::size_t size = std::strtoul(sizeLine->c_str(), nullptr, 16);
    if (size == 0) break;
    const auto chunk = take(size + 2, deadline);
    if (!chunk) return std::unexpected(chunk.error());
    body.append(*chunk, 0, size);
  }
  for (;;) {
    const auto trailer = takeLine(deadline);
    if (!trailer) return std::unexpected(trailer.error());
    if (trailer->empty()) return {};
  }
}

std::expected<void, std::string> HttpConnection::readBody(HttpResponse& response, Deadline deadline) {
  if (lower(response.header("transfer-encoding")) == "chunked") return readChunks(response.body, deadline);
  if (const std::string length = response.header("content-length"); !length.empty()) {
    auto body = take(std::stoul(length), deadline);
    if (!body) return std::unexpected(body.error());
    response.body = *std::move(body);
    return {};
  }
  for (;;) {
    const auto more = readSome(deadline);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
  }
  response.body = in_;
  close();
  return {};
}

HttpResult HttpConnection::readResponse(bool toHead, Deadline deadline) {
  HttpResponse response;
  do {
    response = {};
    const auto statusLine = takeLine(deadline);
    if (!statusLine) return std::unexpected(statusLine.error());
    if (!statusLine->starts_with("HTTP/1.1 ")) return std::unexpected("not an HTTP/1.1 answer: " + *statusLine);
    response.status = std::atoi(statusLine->c_str() + 9);
    for (;;) {
      const auto line = takeLine(deadline);
      if (!line) return std::unexpected(line.error());
      if (line->empty()) break;
      const std::size_t colon = line->find(':');
      response.headers.emplace_back(lower(line->substr(0, colon)), trimmed(line->substr(colon + 1)));
    }
  } while (response.status < 200);
  if (!toHead && response.status != 204 && response.status != 304) {
    if (const auto body = readBody(response, deadline); !body) return std::unexpected(body.error());
  }
  if (lower(response.header("connection")) == "close") close();
  return response;
}

HttpResult HttpConnection::send(const HttpRequest& request) {
  const Deadline deadline = Clock::now() + request.timeout;
  if (fd_ < 0) {
    if (const auto connected = connect(deadline); !connected) {
      close();
      return std::unexpected(connected.error());
    }
  }
  // A refusal may come before the whole body was taken, so a failed write still reads the answer.
  const auto written = writeAll(wire(request), deadline);
  HttpResult response = readResponse(request.method == "HEAD", deadline);
  if (!written || !response) close();
  if (!response && !written) return std::unexpected(written.error());
  return response;
}

HttpResult fetch(int port, const HttpRequest& request) {
  return HttpConnection(port).send(request);
}

std::vector<HttpResult> fetchAll(int port, const std::vector<HttpRequest>& requests) {
  std::vector<HttpResult> results(requests.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = fetch(port, requests[i]); });
  }
  threads.clear();
  return results;
}

int freePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!bound) std::abort();
  return ntohs(address.sin_port);
}

}  // namespace pilotlight::test
