// A replica that a test plays byte by byte: raw sockets, a thread per connection, nothing of what is tested.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/socket.h"

namespace pilotlight::gateway::test {

/// The replica's end of one connection. Blocking; everything returns when the other side or the replica ends.
class RawPeer {
 public:
  explicit RawPeer(net::Fd fd) : fd_(std::move(fd)) {}

  /// Reads to the end of a request's head. False: the connection ended before.
  bool readHead() { return readTo("\r\n\r\n"); }
  /// Reads a request with its body, if that has a Content-Length or is chunked.
  bool readRequest() {
    if (!readHead()) return false;
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t end = seen.find("\r\n\r\n") + 4, field = seen.find(kLength);
    if (seen.find("Transfer-Encoding: chunked") < end) return readTo("0\r\n\r\n");
    if (field >= end) return true;
    const std::size_t whole = end + std::strtoull(seen.c_str() + field + kLength.size(), nullptr, 10);
    while (seen.size() < whole)
      if (!readSome()) return false;
    return true;
  }
  void say(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// Says `text` over and over until nobody takes it.
  void repeat(std::string_view text, std::chrono::milliseconds pause = std::chrono::milliseconds(0)) {
    while (send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0)
      if (pause.count() > 0 && leftWithin(pause)) return;
  }
  /// Closes our direction only.
  void end() { shutdown(fd_.get(), SHUT_WR); }
  /// Closes so that the other side sees a reset.
  void reset() {
    const linger hard{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    std::lock_guard lock(mutex_);
    fd_.reset();
  }
  /// From another thread: whatever it waits for ends.
  void cut() {
    std::lock_guard lock(mutex_);
    if (fd_) shutdown(fd_.get(), SHUT_RDWR);
  }
  /// Reads and drops until the other side closes.
  void readOn() {
    while (readSome()) seen.clear();
  }
  /// Waits, without reading, until the other side closes.
  void idle() { leftWithin(std::chrono::hours(1)); }
  bool leftWithin(std::chrono::milliseconds time) {
    pollfd waiter{fd_.get(), POLLRDHUP, 0};
    return poll(&waiter, 1, static_cast<int>(time.count())) > 0;
  }
  int fd() const { return fd_.get(); }

  std::string seen;  ///< what the read functions have read

 private:
  bool readTo(std::string_view end) {
    while (seen.find(end) == std::string::npos)
      if (!readSome()) return false;
    return true;
  }
  bool readSome() {
    char buffer[65536];
    const ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got > 0) seen.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::mutex mutex_;  // fd_ is closed under it
  net::Fd fd_;
};

class RawReplica {
 public:
  using Script = std::function<void(RawPeer&)>;

  /// `script` plays each connection, in a thread of its own; the connection closes when it returns. Without one, connections
  /// are never accepted.
  explicit RawReplica(Script script, int backlog = 128)
      : script_(std::move(script)),
        listener_(*net::listenTcp({"127.0.0.1", 0}, false, backlog)),
        address(net::localAddress(listener_.get())) {
    if (script_) acceptor_ = std::thread([this] { accept(); });
  }
  ~RawReplica() {
    stopping_ = true;
    if (acceptor_.joinable()) acceptor_.join();
    {
      std::lock_guard lock(mutex_);
      for (RawPeer* peer : peers_) peer->cut();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  RawReplica(const RawReplica&) = delete;

 private:
  void accept() {
    pollfd waiter{listener_.get(), POLLIN, 0};
    while (!stopping_) {
      if (poll(&waiter, 1, 10) <= 0) continue;
      net::Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd) continue;
      ++connections;
      threads_.emplace_back([this, fd = std::make_shared<net::Fd>(std::move(fd))] { play(std::move(*fd)); });
    }
  }
  void play(net::Fd fd) {
    RawPeer peer(std::move(fd));
    {
      std::lock_guard lock(mutex_);
      peers_.push_back(&peer);
    }
    script_(peer);
    std::lock_guard lock(mutex_);  // the descriptor closes under it, so that the destructor never meets another's number
    std::erase(peers_, &peer);
    peer.close();
  }

  const Script script_;
  net::Fd listener_;
  std::mutex mutex_;
  std::vector<RawPeer*> peers_;  // guarded by mutex_
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_ = false;
  std::thread acceptor_;

 public:
  const net::Address address;
  std::atomic<int> connections = 0;
};

}  // namespace pilotlight::gateway::test
