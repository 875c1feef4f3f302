// Growing delays between attempts.
#pragma once

#include <algorithm>
#include <chrono>

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

/// For a handler that dies: 10 ms doubling to 10 s, from the start again once it had stayed up for 10 s.
class RestartBackoff {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kStable{10};
  void started(TimePoint now) { started_ = now; }
  std::chrono::milliseconds ended(TimePoint now) {
    if (now - started_ >= kStable) backoff_.reset();
    return backoff_.next();
  }

 private:
  Backoff backoff_{std::chrono::milliseconds(10), std::chrono::seconds(10)};
  TimePoint started_{};
};

}  // namespace pilotlight::shim
