// Addresses and ports of the host for processes that stand for pods.
// Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <unordered_set>

#include "net/socket.h"

namespace pilotlight::local {

/// An address that is this pod's for as long as the lease lives.
struct AddressLease {
  std::string ip;
  /// Bound to the address, but not listening: the owner's SO_REUSEADDR listener may join it, while the strict probe of
  /// another pool, also one of another program, finds the address taken.
  net::Fd reservation;
};

/// 127.64.0.1, 127.64.0.2, … 127.127.255.254, and again from the start: an address comes back as late as possible, because
/// connections to its former owner may still be about.
class AddressPool {
 public:
  explicit AddressPool(std::uint16_t port) : port_(port) {}
  std::expected<AddressLease, std::string> take();

 private:
  std::uint16_t port_;
  std::uint32_t next_ = 0;
};

/// TCP ports that are free on every address of the host, outside of the range that the kernel takes for outgoing
/// connections. Nothing is reserved: the handler that gets the port may not set SO_REUSEADDR.
class PortPool {
 public:
  PortPool();
  std::expected<std::uint16_t, std::string> take();
  void giveBack(std::uint16_t port) { taken_.erase(port); }

 private:
  std::uint16_t next_;
  std::unordered_set<std::uint16_t> taken_;
};

}  // namespace pilotlight::local
