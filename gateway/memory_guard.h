// Keeps the process from running out of memory: near its limit new work is refused, before anything has to be killed.
//
// A thread looks at what is used, the sooner again the less is left, at the rate at which a fast network could fill it. Work is
// refused once less than an eighth of the limit is left (16 MiB of a small one): room for what comes between two looks, and for
// what is in flight by then, whose buffers are bounded. Work is taken again when a sixteenth more has become free.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace pilotlight::gateway {

/// What bounds the process from outside. Bytes.
struct MemoryGroup {
  std::uint64_t limit = 0;       ///< the lowest of the cgroup and those around it
  std::string kernelFile;        ///< what the kernel holds for the cgroup's sockets and processes; may be empty
  std::uint64_t kernel() const;  ///< as that file says now
};
/// The memory cgroup (v2 or v1) of this process; nullopt when nothing limits it. `root`: where /proc and /sys are.
std::optional<MemoryGroup> findMemoryGroup(const std::string& root = "");

std::uint64_t residentBytes();  ///< of this process

class MemoryGuard {
 public:
  struct Options {
    /// Bytes; 0: none. Not given: 90 % of what the cgroup of the process allows, if that is limited.
    std::optional<std::uint64_t> limit;
    /// Bytes of the limit below which work is refused. Not given: an eighth, of a small limit 16 MiB.
    std::optional<std::uint64_t> reserve;
    /// Measures; default: resident memory, and what the kernel holds for the cgroup when the limit is the cgroup's.
    std::function<std::uint64_t()> used;
    /// Told when refusing begins and ends, and again from time to time while it lasts. From the guard's thread.
    std::function<void(bool refusing)> changed;
  };
  explicit MemoryGuard(Options options);
  ~MemoryGuard() { stop(); }
  void start();  ///< no effect without a limit
  void stop();

  bool refusing() const { return refusing_.load(std::memory_order_relaxed); }  ///< any thread
  void countRefused() { refused_.fetch_add(1, std::memory_order_relaxed); }    ///< any thread

  struct Counts {
    std::uint64_t limit = 0, used = 0, refused = 0;
    bool refusing = false;
  };
  Counts counts() const;  ///< any thread

 private:
  void run();
  void look(std::uint64_t used);
  std::chrono::milliseconds untilNextLook(std::uint64_t used) const;

  std::uint64_t limit_ = 0, refuseFrom_ = 0, acceptBelow_ = 0;
  std::function<std::uint64_t()> measure_;
  const std::function<void(bool)> changed_;
  std::atomic<bool> refusing_{false};
  std::atomic<std::uint64_t> refused_{0}, used_{0};
  std::chrono::steady_clock::time_point relieved_{};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace pilotlight::gateway
