// One epoll set and its wait, and nothing between it and the program: what the load generator and the backend run on.
#pragma once

#include <chrono>
#include <cstdint>

#include "net/socket.h"

namespace pilotlight::bench {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// May be told of events of a descriptor that it has closed in the same turn: it must live as long as the poller, and take
/// a read that finds nothing for nothing.
class Watcher {
 public:
  virtual void onEvents(std::uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

class Poller {
 public:
  Poller();
  void add(int fd, std::uint32_t events, Watcher& watcher);
  void modify(int fd, std::uint32_t events, Watcher& watcher);
  /// Waits for events until `until` and delivers them. The last microseconds are spun: a core that slept wakes late.
  void wait(TimePoint until);

 private:
  void control(int operation, int fd, std::uint32_t events, Watcher& watcher);

  net::Fd epoll_;
};

}  // namespace pilotlight::bench
