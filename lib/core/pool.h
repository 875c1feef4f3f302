// The concurrency that the functions of a gateway share: how much there is, and who gets a slot that frees.
//
// A slot is what one request occupies from its dispatch to its end. Functions with a reservation have slots of their own and
// are not seen here. Any thread counts in SharedSlots; who finds it full joins the FairLine, which its owner locks.
//   take:    tryTake() -> true: go on. false: put the request in its function's queue, then, with the line locked,
//            announce(), line.join(), serve.
//   give:    release() -> false: done. true: with the line locked, serve.
//   serve:   while the line has a first and takeForLine(): it gets the slot. An empty line: retract().
// No wake-up is lost: "somebody waits" and the number of slots taken are one word. A release is either before the
// announcement in that word's order, and whoever announced sees the free slot; or after it, and the release serves.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <set>

namespace pilotlight::core {

/// What is left of a pool when functions have reserved so much of it: never less than a tenth of it, and at least one slot, so
/// that reservations cannot shut out everyone else. (Together the two may then be more than the pool.) A pool of 0: no limit.
std::int64_t sharedLimit(std::int64_t pool, std::int64_t reserved);

/// Slots that are taken, and whether somebody waits for one. Thread-safe and lock-free; a warm request pays one atomic
/// operation to take and one to give back.
class SharedSlots {
 public:
  static constexpr std::int64_t kNoLimit = std::int64_t{1} << 61;

  /// False when full, and also while others wait: a newcomer does not overtake them.
  bool tryTake();
  /// Gives slots back. True: somebody waits, and the caller has to serve the line.
  [[nodiscard]] bool release(std::int64_t count = 1);
  /// Counts what runs already, whether there is room or not.
  void charge(std::int64_t count) { word_.fetch_add(count, std::memory_order_relaxed); }

  // With the line locked.
  void announce() { word_.fetch_or(kWaiting, std::memory_order_relaxed); }
  void retract() { word_.fetch_and(~kWaiting, std::memory_order_relaxed); }
  bool takeForLine();

  /// Lower than what is taken: nobody gets a slot until enough came back. Raised: serve the line.
  void setLimit(std::int64_t limit) { limit_.store(limit, std::memory_order_relaxed); }
  std::int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  std::int64_t taken() const { return word_.load(std::memory_order_relaxed) & ~kWaiting; }

 private:
  static constexpr std::int64_t kWaiting = std::int64_t{1} << 62;
  bool takeUnless(std::int64_t forbidden);

  std::atomic<std::int64_t> limit_{kNoLimit};
  alignas(64) std::atomic<std::int64_t> word_{0};  // slots taken, and kWaiting; apart from what is only read
};

/// A function's place among those that wait for a shared slot. The owner derives from it.
struct Share {
  // Written by FairLine only.
  int held = 0;
  std::uint64_t turn = 0;
  bool waiting = false;
};

/// Functions that have a request and a replica for it, and lack a shared slot.
///
/// Deficit round-robin in which a slot costs one unit for as long as it is held: the next slot goes to the function that
/// holds the fewest, and those that hold as many take turns. So functions that all wait come to hold equally many, give or
/// take one, however long their requests run; one that holds nothing waits for at most one slot of each that holds nothing
/// either. Thread-safety: none; the owner locks.
class FairLine {
 public:
  /// Joins, or, for one that waits already, tells how many slots it holds now (its turn stays).
  void join(Share& share, int held);
  void leave(Share& share);
  /// It took a slot and goes on waiting, behind all that hold as many.
  void granted(Share& share);
  Share* first() const { return line_.empty() ? nullptr : *line_.begin(); }
  std::size_t size() const { return line_.size(); }

 private:
  struct Before {
    bool operator()(const Share* a, const Share* b) const { return a->held != b->held ? a->held < b->held : a->turn < b->turn; }
  };
  std::set<Share*, Before> line_;
  std::uint64_t turns_ = 0;
};

}  // namespace pilotlight::core
