#include "gateway/await_ready.h"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>

namespace pilotlight::gateway {
namespace {

constexpr std::string_view kQuestion = "GET /readyz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
constexpr std::chrono::milliseconds kPause(20);

/// What keeps it from being ready; empty: nothing.
std::string obstacle(const net::SocketAddress& to, timeval patience) {
  const auto error = [](int number) { return std::string(std::strerror(number)); };
  const net::Fd socket(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return error(errno);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length) != 0) return error(errno);
  if (::send(socket.get(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) < 0) return error(errno);
  char line[12];  // "HTTP/1.1 200"
  const ssize_t got = ::recv(socket.get(), line, sizeof line, MSG_WAITALL);
  if (got < 0) return error(errno);
  const std::string_view answer(line, static_cast<std::size_t>(got));
  if (answer.ends_with(" 200")) return {};
  return answer.empty() ? "the connection was closed" : "it answered " + std::string(answer);
}

}  // namespace

std::expected<void, std::string> awaitReady(const net::Address& internal, std::chrono::milliseconds patience) {
  const auto to = net::toSocketAddress(internal);
  if (!to) return std::unexpected(internal.toString() + " is no address");
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const std::string why = obstacle(*to, timeval{.tv_sec = 1, .tv_usec = 0});
    if (why.empty()) return {};
    if (std::chrono::steady_clock::now() + kPause >= end)
      return std::unexpected("the gateway at " + internal.toString() + " is not ready: " + why);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace pilotlight::gateway
