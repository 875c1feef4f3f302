// Growing delays between attempts.
#pragma once

#include <algorithm>
#include <chrono>

#include "runtime-shim/settings.h"

namespace pilotlight::shim {

/// first, 2*first, 4*first, … up to `last`.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds last) : first_(first), last_(last), next_(first) {}
  std::chrono::milliseconds next() {
    auto delay = next_;
    next_ = std::min(last_, next_ * 2);
    return delay;
  }
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_, last_, next_;
};

/// For a handler that dies: restartPause doubling to restartMaxPause, from the start again once it had stayed up for restartStable.
class RestartBackoff {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit RestartBackoff(const Settings& settings)
      : stable_(settings.restartStable), backoff_(settings.restartPause, settings.restartMaxPause) {}
  void started(TimePoint now) { started_ = now; }
  std::chrono::milliseconds ended(TimePoint now) {
    if (now - started_ >= stable_) backoff_.reset();
    return backoff_.next();
  }

 private:
  std::chrono::milliseconds stable_;
  Backoff backoff_;
  TimePoint started_{};
};

}  // namespace pilotlight::shim
