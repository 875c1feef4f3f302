#include "core/pool.h"

#include <algorithm>

namespace pilotlight::core {

std::int64_t sharedLimit(std::int64_t pool, std::int64_t reserved) {
  if (pool <= 0) return SharedSlots::kNoLimit;
  return std::max({pool - reserved, pool / 10, std::int64_t{1}});
}

bool SharedSlots::takeUnless(std::int64_t forbidden) {
  std::int64_t word = word_.load(std::memory_order_relaxed);
  do {
    if ((word & forbidden) != 0 || (word & ~kWaiting) >= limit()) return false;
  } while (!word_.compare_exchange_weak(word, word + 1, std::memory_order_relaxed));
  return true;
}

bool SharedSlots::tryTake() {
  return takeUnless(kWaiting);
}

bool SharedSlots::takeForLine() {
  return takeUnless(0);
}

bool SharedSlots::release(std::int64_t count) {
  return (word_.fetch_sub(count, std::memory_order_relaxed) & kWaiting) != 0;
}

void FairLine::join(Share& share, int held) {
  if (share.waiting) {
    line_.erase(&share);
  } else {
    share.turn = ++turns_;
  }
  share.held = held;
  share.waiting = true;
  line_.insert(&share);
}

void FairLine::leave(Share& share) {
  if (!share.waiting) return;
  line_.erase(&share);
  share.waiting = false;
}

void FairLine::granted(Share& share) {
  line_.erase(&share);
  ++share.held;
  share.turn = ++turns_;
  line_.insert(&share);
}

}  // namespace pilotlight::core
