#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

namespace pilotlight::net {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::string Address::toString() const {
  const bool v6 = ip.find(':') != std::string::npos;
  return (v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

std::expected<Address, std::string> parseAddress(std::string_view text) {
  const auto bad = [&] {
    return std::unexpected("'" + std::string(text) + "' is not an address: use IP:PORT, for example 127.0.0.1:8080");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view portText = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(portText.data(), portText.data() + portText.size(), port);
  if (error != std::errc{} || end != portText.data() + portText.size() || port > 65535) return bad();
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  Address address{host.empty() ? "0.0.0.0" : std::string(host), static_cast<std::uint16_t>(port)};
  if (address.ip == "localhost") address.ip = "127.0.0.1";
  if (!toSocketAddress(address)) return bad();
  return address;
}

std::optional<SocketAddress> toSocketAddress(const Address& address) {
  SocketAddress out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, address.ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    out.length = sizeof(sockaddr_in);
    return out;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, address.ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    out.length = sizeof(sockaddr_in6);
    return out;
  }
  return std::nullopt;
}

Address fromSocketAddress(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {text, ntohs(v4->sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return {text, ntohs(v6->sin6_port)};
  }
  return {};
}

std::expected<Fd, std::string> listenTcp(const Address& address, bool reusePort, int backlog) {
  const auto fail = [&](const char* what) {
    return std::unexpected(std::string(what) + " " + address.toString() + ": " + std::strerror(errno));
  };
  const auto target = toSocketAddress(address);
  if (!target) return std::unexpected("listen on " + address.toString() + ": not an IP address");
  Fd fd(socket(target->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail("socket for");
  const int one = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (reusePort && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) return fail("SO_REUSEPORT on");
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&target->storage), target->length) != 0) return fail("listen on");
  if (::listen(fd.get(), backlog) != 0) return fail("listen on");
  return fd;
}

Address localAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return fromSocketAddress(reinterpret_cast<sockaddr*>(&storage));
}

Address peerAddress(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return fromSocketAddress(reinterpret_cast<sockaddr*>(&storage));
}

void LastBytes::watch(std::chrono::steady_clock::time_point now) {
  left_ = std::numeric_limits<int>::max();
  since_ = now;
}

bool LastBytes::stillTaken(int fd, std::chrono::steady_clock::time_point now, std::chrono::milliseconds patience) {
  int left = 0;
  if (ioctl(fd, SIOCOUTQ, &left) != 0 || left == 0) return false;
  if (left < left_) {
    left_ = left;
    since_ = now;
  }
  return now - since_ < patience;
}

std::expected<Fd, int> connectTcp(const SocketAddress& to, const std::string& sourceIp) {
  Fd fd(socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno);
  const int one = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (!sourceIp.empty()) {
    const auto from = toSocketAddress({sourceIp, 0});
    if (!from) return std::unexpected(EINVAL);
#ifdef IP_BIND_ADDRESS_NO_PORT
    setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
#endif
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&from->storage), from->length) != 0) return std::unexpected(errno);
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length) != 0 && errno != EINPROGRESS)
    return std::unexpected(errno);
  return fd;
}

}  // namespace pilotlight::net
