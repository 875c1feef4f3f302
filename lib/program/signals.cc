#include "program/signals.h"

#include <unistd.h>

#include <cerrno>

namespace pilotlight::program {

namespace {
constexpr int kNotified = SIGUSR1;
}

Signals::Signals() {
  std::signal(SIGPIPE, SIG_IGN);
  ::sigemptyset(&set_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, kNotified}) ::sigaddset(&set_, signal);
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

Signals::Event Signals::eventOf(int signal) {
  return signal == kNotified ? Event::notified : Event::end;
}

Signals::Event Signals::wait() const {
  int signal = 0;
  while (::sigwait(&set_, &signal) != 0) {
  }
  return eventOf(signal);
}

Signals::Event Signals::waitFor(std::chrono::milliseconds patience) const {
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Event::nothing;
    const timespec time{static_cast<time_t>(left.count() / 1'000'000'000), static_cast<long>(left.count() % 1'000'000'000)};
    if (const int signal = ::sigtimedwait(&set_, nullptr, &time); signal > 0) return eventOf(signal);
    if (errno != EINTR) return Event::nothing;
  }
}

void Signals::notify() {
  ::kill(::getpid(), kNotified);
}

}  // namespace pilotlight::program
