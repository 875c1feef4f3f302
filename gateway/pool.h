// The concurrency that the functions of one gateway share: core/pool.h with the locks.
//
// A function that finds the pool full queues its request and calls wait(); the slots that come back go to the functions that
// wait by core::FairLine. Locking: one mutex, taken only while somebody waits, and before a function's own mutex, never after
// it: what is called here is called without the lock of any FunctionEntry. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>

#include "core/admission.h"
#include "core/pool.h"

namespace pilotlight::gateway {

class FunctionEntry;

class Pool {
 public:
  /// `size`: requests at once of all functions; 0 or less: no limit.
  explicit Pool(std::int64_t size);

  core::SharedSlots& slots() { return slots_; }
  /// The function has a request and a replica for it, and found no slot. It may get one before this returns.
  void wait(FunctionEntry& entry, core::TimePoint now);
  /// After slots came back while somebody waited; `from` may be one of those and holds fewer now.
  void serve(FunctionEntry& from, core::TimePoint now);
  /// A function's reservation has changed.
  void reserve(std::int64_t before, std::int64_t after, core::TimePoint now);
  /// The function is about to go.
  void forget(FunctionEntry& entry);

  struct Counts {
    std::int64_t size = 0;      ///< as configured; 0: no limit
    std::int64_t reserved = 0;  ///< by all functions together
    std::int64_t shared = 0;    ///< left to the others; with `reserved` more than `size` when too much is reserved
    std::int64_t taken = 0;     ///< of the shared slots
    std::size_t waiting = 0;    ///< functions
  };
  Counts counts() const;

 private:
  void serve(core::TimePoint now);
  core::Admission::Grant next(core::TimePoint now);  // requires mutex_

  const std::int64_t size_;
  core::SharedSlots slots_;
  mutable std::mutex mutex_;
  core::FairLine line_;        // guarded by mutex_, as all below
  std::int64_t reserved_ = 0;  // by all functions together
};

}  // namespace pilotlight::gateway
