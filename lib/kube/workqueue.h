// A queue of keys for reconcilers, after controller-runtime's.
// Invariants: a key is in the queue at most once; never on two workers at once; added while being worked on, it is queued
// again when done; failures back off per key (base * 2^n, bounded) and are forgotten on success.
// Thread-safe. Time is the steady clock; tests pass their own `now`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>

#include "kube/types.h"

namespace pilotlight::kube {

struct WorkQueueOptions {
  std::chrono::milliseconds backoffBase{5};
  std::chrono::milliseconds backoffMax{std::chrono::seconds(60)};
  std::function<std::chrono::steady_clock::time_point()> now;  ///< default: the steady clock
};

class WorkQueue {
 public:
  using Clock = std::chrono::steady_clock;
  explicit WorkQueue(WorkQueueOptions options = {});

  void add(const Key& key);
  void addAfter(const Key& key, std::chrono::milliseconds delay);  ///< the earliest of several wins
  void addRateLimited(const Key& key);                             ///< after a failure
  void forget(const Key& key);                                     ///< after a success
  /// Waits for a key; nullopt when shut down. Each key taken must be given back by done().
  std::optional<Key> take();
  void done(const Key& key);
  void shutDown();           ///< wakes every take(); what is queued is dropped
  std::size_t size() const;  ///< ready keys, delayed ones that are due included

 private:
  void addLocked(const Key& key);  // requires mutex_, as the next two
  void addDelayed(const Key& key, std::chrono::milliseconds delay);
  void promoteDue(Clock::time_point now);
  const WorkQueueOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Key> ready_;  // guarded by mutex_, as all below
  std::set<Key> dirty_;    // queued, or to be queued when done
  std::set<Key> working_;
  std::multimap<Clock::time_point, Key> delayed_;
  std::unordered_map<Key, Clock::time_point, KeyHash> dueAt_;
  std::unordered_map<Key, int, KeyHash> failures_;
  bool stopped_ = false;
};

}  // namespace pilotlight::kube
