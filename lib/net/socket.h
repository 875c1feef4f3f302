// Sockets and addresses. IPv4 and IPv6 literals only: nothing here resolves names.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <compare>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::net {

/// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset();

 private:
  int fd_ = -1;
};

struct Address {
  std::string ip;
  std::uint16_t port = 0;
  std::string toString() const;  ///< "127.0.0.1:80", "[::1]:80"
  auto operator<=>(const Address&) const = default;
};

/// "127.0.0.1:8080", "[::1]:8080", ":8080" (all IPv4 addresses).
std::expected<Address, std::string> parseAddress(std::string_view text);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};
std::optional<SocketAddress> toSocketAddress(const Address& address);
Address fromSocketAddress(const sockaddr* address);

/// A listening, non-blocking, close-on-exec TCP socket. Port 0: a free one; see localAddress().
std::expected<Fd, std::string> listenTcp(const Address& address, bool reusePort = false, int backlog = 4096);
Address localAddress(int fd);
Address peerAddress(int fd);

/// Whether a peer is still taking what was sent to it. A connection that is closed while its client goes on sending is reset,
/// and what the kernel holds for the client is lost: who closes waits for that first.
class LastBytes {
 public:
  /// Begins to wait.
  void watch(std::chrono::steady_clock::time_point now);
  /// False: nothing is left, or none of it was taken for `patience`.
  bool stillTaken(int fd, std::chrono::steady_clock::time_point now, std::chrono::milliseconds patience);

 private:
  int left_ = 0;
  std::chrono::steady_clock::time_point since_{};
};

/// Starts a non-blocking connect, optionally from `sourceIp`. The error is errno.
std::expected<Fd, int> connectTcp(const SocketAddress& to, const std::string& sourceIp = "");

}  // namespace pilotlight::net
