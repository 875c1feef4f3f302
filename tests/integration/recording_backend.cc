#include "recording_backend.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

namespace pilotlight::test {

namespace {

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nX-Backend: yes\r\nContent-Length: 2\r\n\r\nok";

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

struct Head {
  std::string method, target;
  std::vector<std::string> hosts, lengths, codings;
};

/// What is wrong with a head, given without its last empty line; empty when nothing is.
std::string readHead(std::string_view text, Head& head) {
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) return "a bare CR, LF or NUL";
    if (std::exchange(first, false)) {
      const std::size_t blank = line.find(' ');
      if (blank == std::string_view::npos || !line.ends_with(" HTTP/1.1") || std::ranges::count(line, ' ') != 2) return "a request line";
      head.method = line.substr(0, blank);
      head.target = line.substr(blank + 1, line.size() - blank - 1 - std::string_view(" HTTP/1.1").size());
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos || line.find_first_of(" \t") < colon) return "a field without a proper name";
    const std::string name = lowerCase(line.substr(0, colon));
    const std::string value(line.substr(std::min(line.size(), line.find_first_not_of(' ', colon + 1))));
    if (name == "host") head.hosts.push_back(value);
    if (name == "content-length") head.lengths.push_back(value);
    if (name == "transfer-encoding") head.codings.push_back(value);
  }
  return "";
}

/// A chunked body without extensions at the front of `text`: its payload, and its size in `size`. Nothing while not whole.
std::optional<std::string> readChunks(std::string_view text, std::size_t& size, std::string& problem) {
  std::string payload;
  const std::string_view whole = text;
  for (;;) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view digits = text.substr(0, end);
    if (digits.empty() || digits.size() > 8 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      problem = "a chunk's size";
      return std::nullopt;
    }
    const std::size_t length = std::stoul(std::string(digits), nullptr, 16);
    text.remove_prefix(end + 2);
    if (length == 0) break;
    if (text.size() < length + 2) return std::nullopt;
    if (text.substr(length, 2) != "\r\n") {
      problem = "a chunk's end";
      return std::nullopt;
    }
    payload += text.substr(0, length);
    text.remove_prefix(length + 2);
  }
  while (!text.starts_with("\r\n")) {  // trailers
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string line = lowerCase(text.substr(0, end));
    if (line.starts_with("content-length") || line.starts_with("transfer-encoding")) problem = "framing in a trailer";
    text.remove_prefix(end + 2);
  }
  size = whole.size() - text.size() + 2;
  return payload;
}

std::string framingProblem(const Head& head) {
  if (head.hosts.size() != 1) return "no Host, or several";
  if (head.lengths.size() + head.codings.size() > 1) return "more than one framing";
  for (const std::string& length : head.lengths)
    if (length.empty() || length.size() > 9 || length.find_first_not_of("0123456789") != std::string::npos) return "a length";
  for (const std::string& coding : head.codings)
    if (coding != "chunked") return "a transfer coding";
  return "";
}

}  // namespace

bool takeRequest(std::string& buffer, RecordedRequest& request) {
  const std::size_t end = buffer.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  Head head;
  request.problem = readHead(std::string_view(buffer).substr(0, end + 2), head);
  if (request.problem.empty()) request.problem = framingProblem(head);
  std::size_t size = 0;
  std::optional<std::string> body = "";
  const std::string_view rest = std::string_view(buffer).substr(end + 4);
  if (request.problem.empty() && !head.lengths.empty()) {
    size = std::stoul(head.lengths.front());
    if (rest.size() < size) return false;
    body = rest.substr(0, size);
  } else if (request.problem.empty() && !head.codings.empty()) {
    body = readChunks(rest, size, request.problem);
    if (!body && request.problem.empty()) return false;
  }
  if (!request.problem.empty()) size = rest.size();
  request.raw = buffer.substr(0, end + 4 + size);
  request.seen = head.method + " " + head.target + " " + body.value_or("");
  buffer.erase(0, end + 4 + size);
  return true;
}

RecordingBackend::RecordingBackend()
    : listener_(*net::listenTcp({"127.0.0.1", 0})),
      stop_(eventfd(0, EFD_CLOEXEC)),
      port_(net::localAddress(listener_.get()).port),
      thread_([this] { serve(); }) {}

RecordingBackend::~RecordingBackend() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::vector<RecordedRequest> RecordingBackend::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(requests_, {});
}

bool RecordingBackend::answer(int fd, std::string& buffer) {
  RecordedRequest request;
  while (takeRequest(buffer, request)) {
    const bool proper = request.problem.empty(), toHead = request.seen.starts_with("HEAD ");
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
    }
    request = {};
    if (!proper) return false;
    const std::string_view text = toHead ? kAnswer.substr(0, kAnswer.size() - 2) : kAnswer;
    if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) return false;
  }
  return true;
}

void RecordingBackend::serve() {
  struct Connection {
    net::Fd fd;
    std::string buffer;
  };
  std::vector<Connection> connections;
  for (;;) {
    std::vector<pollfd> waiters{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Connection& connection : connections) waiters.push_back({connection.fd.get(), POLLIN, 0});
    if (poll(waiters.data(), waiters.size(), -1) < 0) continue;
    if (waiters[0].revents) return;
    for (std::size_t i = connections.size(); i-- > 0;) {
      if (!waiters[i + 2].revents) continue;
      char bytes[65536];
      const ssize_t got = recv(connections[i].fd.get(), bytes, sizeof bytes, 0);
      if (got > 0) connections[i].buffer.append(bytes, static_cast<std::size_t>(got));
      if (got <= 0 || !answer(connections[i].fd.get(), connections[i].buffer)) connections.erase(connections.begin() + static_cast<int>(i));
    }
    if (waiters[1].revents)
      if (net::Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); fd) connections.push_back({std::move(fd), ""});
  }
}

}  // namespace pilotlight::test
