// What is counted per function.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace pilotlight::gateway {

/// How many requests ended with each status. A function has few different ones, so what is written stays in a line or two of
/// the cache, also with thousands of functions. Thread-safe.
class StatusCounts {
 public:
  void add(int status);
  /// each(status, count); status 0: those beyond the first 31 different ones.
  template <class Each>
  void forEach(Each each) const {
    for (const Slot& slot : slots_)
      if (const auto count = slot.count.load(std::memory_order_relaxed)) each(slot.status.load(std::memory_order_relaxed), count);
  }

 private:
  struct Slot {
    std::atomic<int> status{0};  // 0: free
    std::atomic<std::uint64_t> count{0};
  };
  std::array<Slot, 32> slots_;  // the last one is for the rest
};

/// Rising counts; written by event loops, read by whoever scrapes. What every request touches comes first.
struct FunctionCounters {
  static constexpr std::array<double, 14> kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};  // seconds
  struct Histogram {
    std::atomic<std::uint64_t> micros{0};
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets{};
    void observe(std::chrono::nanoseconds value);
  };
  std::atomic<std::uint64_t> requests{0};
  Histogram duration;
  StatusCounts byStatus;
  Histogram queueWait, coldStart;
  std::atomic<std::uint64_t> retries{0}, upstreamFailures{0}, clientGone{0}, poolWaits{0}, handed{0}, lights{0};
  std::array<std::atomic<std::uint64_t>, 5> rejected{};  // by Limit
};

enum class Limit { queueRequests, queueBytes, queueWait, reserved, pool };

}  // namespace pilotlight::gateway
