#include "tests/bench/load/poller.h"

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace pilotlight::bench {

namespace {

constexpr std::chrono::microseconds kSpin{100};
constexpr std::chrono::seconds kLongest{1};

timespec sleepUntil(TimePoint until) {
  const auto left = std::clamp<std::chrono::nanoseconds>(until - Clock::now() - kSpin, std::chrono::nanoseconds(0), kLongest);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {seconds.count(), (left - seconds).count()};
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
}

void Poller::add(int fd, std::uint32_t events, Watcher& watcher) {
  control(EPOLL_CTL_ADD, fd, events, watcher);
}

void Poller::modify(int fd, std::uint32_t events, Watcher& watcher) {
  control(EPOLL_CTL_MOD, fd, events, watcher);
}

void Poller::control(int operation, int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{events, {.ptr = &watcher}};
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return;
  std::perror("epoll_ctl");
  std::exit(1);
}

void Poller::wait(TimePoint until) {
  std::array<epoll_event, 512> events;
  const timespec timeout = until == TimePoint::max() ? timespec{kLongest.count(), 0} : sleepUntil(until);
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<Watcher*>(event.data.ptr)->onEvents(event.events);
  }
}

}  // namespace pilotlight::bench
