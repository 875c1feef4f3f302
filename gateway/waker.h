// Raises a function's Deployment from zero when requests wait and no replica is known, and repeats it until one is: a
// stale write of 0 by someone else then costs a delay, never a request. Only ever raises. Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "gateway/function_entry.h"
#include "kube/client.h"
#include "kube/informer.h"

namespace pilotlight::gateway {

class Waker {
 public:
  using Log = std::function<void(std::string_view message, const kube::Key& about, const std::string& error)>;
  /// `hasty` raises, and should give up soon: few functions are raised at once, and an API server that hangs must not hold the others
  /// up longer than that once it is back. `namespace_` empty: of all namespaces.
  Waker(kube::Client& client, kube::Client& hasty, const std::string& namespace_, std::chrono::milliseconds repeat, int atOnce, Log log);
  ~Waker();
  bool start(std::chrono::milliseconds syncTimeout);
  void stop();
  void wake(std::shared_ptr<FunctionEntry> entry);
  std::uint64_t patches() const { return patches_.load(std::memory_order_relaxed); }
  /// From the request that found no replica to the write of the scale, and to its answer.
  const FunctionCounters::Histogram& sent() const { return sent_; }
  const FunctionCounters::Histogram& answered() const { return answered_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Due {
    Clock::time_point at;
    Clock::time_point asked;
    std::shared_ptr<FunctionEntry> entry;
  };
  void run();
  void grow();
  void raise(FunctionEntry& entry, Clock::time_point asked);
  void lookForPods(FunctionEntry& entry, const kube::Key& key, std::int64_t version);

  kube::Client& hasty_;
  const std::chrono::milliseconds repeat_;
  const int atOnce_;  // functions raised at the same time, each by a thread
  const Log log_;
  kube::Informer deployments_;  // saves a read per wake; a conflict reads afresh
  std::atomic<std::uint64_t> patches_{0};
  FunctionCounters::Histogram sent_, answered_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<kube::Key, Due> due_;  // guarded by mutex_
  bool stopping_ = false;         // guarded by mutex_
  std::ptrdiff_t raising_ = 0;    // threads; guarded by mutex_, as the next
  std::vector<std::thread> threads_;
};

}  // namespace pilotlight::gateway
