#include "gateway/pool.h"

#include <algorithm>

#include "gateway/function_entry.h"

namespace pilotlight::gateway {

Pool::Pool(std::int64_t size) : size_(std::max<std::int64_t>(0, size)) {
  slots_.setLimit(core::sharedLimit(size_, 0));
}

void Pool::wait(FunctionEntry& entry, core::TimePoint now) {
  {
    std::lock_guard lock(mutex_);
    slots_.announce();  // before looking again: what is released from here on serves the line
    line_.join(entry, entry.inFlight());
  }
  serve(now);
}

void Pool::serve(FunctionEntry& from, core::TimePoint now) {
  {
    std::lock_guard lock(mutex_);
    if (from.waiting) line_.join(from, from.inFlight());
  }
  serve(now);
}

void Pool::reserve(std::int64_t before, std::int64_t after, core::TimePoint now) {
  if (before == after) return;
  {
    std::lock_guard lock(mutex_);
    reserved_ += after - before;
    slots_.setLimit(core::sharedLimit(size_, reserved_));
  }
  serve(now);
}

void Pool::forget(FunctionEntry& entry) {
  std::lock_guard lock(mutex_);
  line_.leave(entry);
}

void Pool::serve(core::TimePoint now) {
  for (;;) {
    core::Admission::Grant grant;
    {
      std::lock_guard lock(mutex_);
      grant = next(now);
    }
    if (!grant.waiter) return;
    handOver(grant);
  }
}

core::Admission::Grant Pool::next(core::TimePoint now) {
  while (core::Share* first = line_.first()) {
    if (!slots_.takeForLine()) return {};
    auto& entry = static_cast<FunctionEntry&>(*first);
    const FunctionEntry::Shared given = entry.takeShared(now);
    if (!given.grant.waiter) {  // its requests or its replicas have gone meanwhile
      line_.leave(entry);
      (void)slots_.release();  // not lost on anyone: this very loop goes on serving
    } else if (given.queued > 0) {
      line_.granted(entry);
      return given.grant;
    } else {
      line_.leave(entry);
      return given.grant;
    }
  }
  slots_.retract();
  return {};
}

Pool::Counts Pool::counts() const {
  std::lock_guard lock(mutex_);
  return {size_, reserved_, slots_.limit(), slots_.taken(), line_.size()};
}

}  // namespace pilotlight::gateway
