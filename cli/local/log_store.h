// What the functions' processes wrote, kept in memory for `pilotlight logs`.
//
// Bounded: a ring of lines per function, and a bound for all rings together; the oldest lines go first and are counted.
// Thread-safety: every method may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kube/types.h"

namespace pilotlight::local {

struct LogStoreOptions {
  std::size_t bytesPerFunction = std::size_t{1} << 20;
  std::size_t bytesInAll = std::size_t{64} << 20;
};

class LogStore {
 public:
  struct Line {
    std::uint64_t sequence = 0;  ///< rises over all functions, from 1; to read on from here
    std::chrono::system_clock::time_point time;
    std::string pod;
    bool isStderr = false;
    std::string text;  ///< without the line's end
  };

  explicit LogStore(LogStoreOptions options = {});

  /// A line longer than a function's whole ring is cut.
  void append(const kube::Key& function, std::string pod, bool isStderr, std::string_view line);

  /// The oldest lines with a higher sequence, at most `maxLines`, oldest first. Empty for an unknown function.
  std::vector<Line> read(const kube::Key& function, std::uint64_t afterSequence, std::size_t maxLines) const;
  /// The newest lines, at most `maxLines`, oldest first.
  std::vector<Line> tail(const kube::Key& function, std::size_t maxLines) const;
  /// Lines of this function that had to go for newer ones. Forgotten with its last line.
  std::uint64_t dropped(const kube::Key& function) const;
  std::size_t bytes() const;

  /// `onAppend` is called after each append, from the appending thread. It must not block, append, or unsubscribe.
  int subscribe(std::function<void()> onAppend);
  /// No call is running, or will be made, after this returns.
  void unsubscribe(int id);

 private:
  struct Ring {
    std::deque<Line> lines;
    std::size_t bytes = 0;
    std::uint64_t dropped = 0;
  };
  using Rings = std::unordered_map<kube::Key, Ring, kube::KeyHash>;
  void dropOldest(Ring& ring, const kube::Key& function);  // requires mutex_

  const LogStoreOptions options_;
  mutable std::mutex mutex_;
  Rings rings_;                               // guarded by mutex_, as all below
  std::map<std::uint64_t, kube::Key> byAge_;  // first sequence of each ring
  std::size_t bytes_ = 0;
  std::uint64_t lastSequence_ = 0;
  std::mutex subscribersMutex_;  // held during the calls
  std::map<int, std::function<void()>> subscribers_;
  int lastSubscriber_ = 0;
};

}  // namespace pilotlight::local
