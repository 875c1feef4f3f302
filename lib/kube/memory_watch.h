// How MemoryCluster tells watches of changes: the queue of one watch, and the history from which a watch can start.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "kube/client.h"
#include "kube/selector.h"

namespace pilotlight::kube {

/// One state of one object. Current states are live; superseded ones are kept packed (CBOR), a tenth of the size.
class Version {
 public:
  explicit Version(Object object) : live_(std::move(object)) {}
  Object object() const;  ///< unpacks when packed
  const Object& live() const { return live_; }
  /// Returns the live form, for the caller to drop where no lock is held.
  Object pack(std::string packed);
  static std::string packed(const Object& object);

 private:
  Object live_;
  std::string packed_;
};

/// A change as all watches see it before their selectors.
struct Change {
  std::uint64_t resourceVersion = 0;
  Object before;  ///< empty: the object is new
  Object after;   ///< deleted: the last state, numbered by the deletion
  bool deleted = false;
};

/// Changes of one resource, oldest first, bounded in entries and in bytes. Guarded by the cluster's mutex.
class History {
 public:
  /// Changes up to this version are forgotten.
  std::uint64_t forgottenUpTo = 0;

  void add(std::uint64_t resourceVersion, std::shared_ptr<Version> before, std::shared_ptr<Version> after, bool deleted,
           std::size_t maxEntries);
  void charge(std::size_t bytes, std::size_t maxBytes);  ///< packed bytes of the newest entry
  template <class Use>
  void replay(std::uint64_t after, Use use) const {
    for (const Entry& entry : entries_) {
      if (entry.resourceVersion <= after) continue;
      use(Change{entry.resourceVersion, entry.before ? entry.before->object() : Object(), entry.after->object(), entry.deleted});
    }
  }

 private:
  struct Entry {
    std::uint64_t resourceVersion;
    std::shared_ptr<Version> before, after;
    bool deleted;
    std::size_t bytes = 0;
  };
  void forgetOldest();
  std::deque<Entry> entries_;
  std::size_t bytes_ = 0;
};

/// What waits for one watch. Thread-safe.
class WatchQueue {
 public:
  using Clock = std::chrono::steady_clock;
  WatchQueue(std::string namespace_, LabelSelector selector, Clock::time_point end, std::size_t maxWaiting);

  /// Queues what the change means to this watch; true when wake() is to follow. A watch that does not keep up ends
  /// with `gone`. `shared` keeps the rarely needed "left the selection" object for the next watch.
  bool push(const Change& change, Object& shared);
  void wake() { ready_.notify_one(); }
  void cancel(std::string why);
  Result<std::optional<WatchEvent>> next(std::chrono::milliseconds wait);
  /// Queues without the bound, before the watch is handed out.
  void start(const Change& change, Object& shared);

 private:
  std::optional<WatchEvent> seen(const Change& change, Object& shared) const;
  const std::string namespace_;
  const LabelSelector selector_;
  const Clock::time_point end_;
  std::size_t maxWaiting_;  // constant once handed out
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<WatchEvent> waiting_;  // guarded by mutex_
  std::optional<Error> ended_;      // guarded by mutex_
};

/// A copy with another resourceVersion.
Object renumbered(const Object& object, std::uint64_t resourceVersion);

}  // namespace pilotlight::kube
