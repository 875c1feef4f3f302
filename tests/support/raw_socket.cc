#include "tests/support/raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace pilotlight::test {

RawSocket::RawSocket(int port, std::chrono::milliseconds patience)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), patience_(patience) {
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ended_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
}

RawSocket::~RawSocket() {
  ::close(fd_);
}

bool RawSocket::send(std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawSocket::shutdownWrite() {
  shutdown(fd_, SHUT_WR);
}

bool RawSocket::fill() {
  pollfd waiter{fd_, POLLIN, 0};
  if (ended_ || poll(&waiter, 1, static_cast<int>(patience_.count())) <= 0) return false;
  char buffer[65536];
  const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
  ended_ = got <= 0;
  if (got > 0) in_.append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

std::string RawSocket::take(std::size_t size) {
  std::string taken = in_.substr(0, size);
  in_.erase(0, size);
  return taken;
}

std::string RawSocket::readTo(std::string_view end) {
  std::size_t found = in_.find(end);
  for (; found == std::string::npos; found = in_.find(end))
    if (!fill()) return take(in_.size());
  return take(found + end.size());
}

std::string RawSocket::read(std::size_t size) {
  while (in_.size() < size && fill()) {
  }
  return take(std::min(size, in_.size()));
}

std::string RawSocket::readAll() {
  while (fill()) {
  }
  return take(in_.size());
}

bool RawSocket::atEnd() {
  return in_.empty() && !fill() && ended_;
}

std::size_t RawSocket::skip(std::size_t size) {
  constexpr std::size_t kPart = 1 << 20;
  const auto buffer = std::make_unique<char[]>(kPart);
  std::size_t got = take(std::min(size, in_.size())).size();
  while (got < size) {
    pollfd waiter{fd_, POLLIN, 0};
    if (ended_ || poll(&waiter, 1, static_cast<int>(patience_.count())) <= 0) return got;
    const ssize_t some = recv(fd_, buffer.get(), std::min(kPart, size - got), 0);
    ended_ = some <= 0;
    if (some > 0) got += static_cast<std::size_t>(some);
  }
  return got;
}

}  // namespace pilotlight::test
