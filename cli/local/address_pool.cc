#include "cli/local/address_pool.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace pilotlight::local {

namespace {

constexpr std::uint32_t kAddresses = 64U << 16;  // 127.64.0.0/10
constexpr std::uint16_t kFirstPort = 20000;
constexpr std::uint16_t kPorts = 10000;  // up to 29999: below Linux's 32768-60999
constexpr int kTries = 4096;

/// Empty when the address can't be bound; errno says why. No SO_REUSEADDR: anything bound there makes it fail.
net::Fd bindStrictly(const net::Address& address) {
  const auto target = net::toSocketAddress(address);
  if (!target) {
    errno = EINVAL;
    return {};
  }
  net::Fd fd(socket(target->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return {};
  if (target->storage.ss_family == AF_INET6) {
    const int off = 0;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&target->storage), target->length) != 0) return {};
  return fd;
}

bool portIsFree(std::uint16_t port) {
  if (bindStrictly({"::", port})) return true;
  if (errno == EADDRINUSE) return false;
  return static_cast<bool>(bindStrictly({"0.0.0.0", port}));  // a host without IPv6
}

}  // namespace

std::expected<AddressLease, std::string> AddressPool::take() {
  for (int i = 0; i < kTries; ++i) {
    next_ = (next_ + 1) % kAddresses;
    const std::uint32_t last = next_ & 0xff;
    if (last == 0 || last == 255) continue;
    const std::string ip =
        "127." + std::to_string(64 + (next_ >> 16)) + "." + std::to_string((next_ >> 8) & 0xff) + "." + std::to_string(last);
    net::Fd fd = bindStrictly({ip, port_});
    if (!fd && errno != EADDRINUSE) return std::unexpected("reserve " + ip + ": " + std::strerror(errno));
    if (!fd) continue;
    const int one = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return AddressLease{ip, std::move(fd)};
  }
  return std::unexpected("no free address in 127.64.0.0/10 for port " + std::to_string(port_));
}

PortPool::PortPool() : next_(static_cast<std::uint16_t>(kFirstPort + std::random_device{}() % kPorts)) {}

std::expected<std::uint16_t, std::string> PortPool::take() {
  for (int i = 0; i < kPorts; ++i) {
    const std::uint16_t port = next_;
    next_ = port + 1 == kFirstPort + kPorts ? kFirstPort : static_cast<std::uint16_t>(port + 1);
    if (taken_.contains(port) || !portIsFree(port)) continue;
    taken_.insert(port);
    return port;
  }
  return std::unexpected("no free TCP port between " + std::to_string(kFirstPort) + " and " + std::to_string(kFirstPort + kPorts - 1));
}

}  // namespace pilotlight::local
