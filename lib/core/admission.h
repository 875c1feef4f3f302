// Which request goes to which replica, and which has to wait or to go: one function's slots and its queue.
//
// Late binding: a request waits in the function's one queue and gets a replica when a slot frees. Among versions, smooth
// weighted round-robin (as nginx's upstreams) over those with a free slot; within a version, the least loaded replica.
// A function without a reservation also needs a slot of the pool that all share (core/pool.h); one with a reservation has
// that many slots of its own, and no more.
// Thread-safety: none; the owner locks. Time is passed in. Nothing is allocated per request.
#pragma once

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/place_book.h"
#include "core/pool.h"

namespace pilotlight::core {

/// A replica as admission sees it. The owner derives from it and keeps it alive until remove()d and inFlight is 0.
struct Replica {
  std::int64_t version = 0;
  int limit = 1;        ///< hard limit of requests at once
  int inFlight = 0;     ///< written by Admission only
  bool member = false;  ///< offered to requests; written by Admission only
};

/// A request that waits. The owner derives from it.
struct Waiter {
  std::int64_t bytes = 0;  ///< what holding it costs
  Waiter* previous = nullptr;
  Waiter* next = nullptr;
  std::int64_t number = 0;  ///< in the order of arrival; 0: it was accepted before. Written by Admission only, as the next
  bool queued = false;
};

struct VersionWeight {
  std::int64_t version = 0;
  int weight = 0;  ///< percent
};

struct AdmissionSettings {
  int queueRequests = 1000;
  std::int64_t queueBytes = 64LL << 20;
  std::vector<VersionWeight> versions;
  int atMost = std::numeric_limits<int>::max();  ///< requests at once over all replicas; 0: every request is refused
  SharedSlots* shared = nullptr;                 ///< where each request takes a slot as well; null: it needs none
};

class Admission {
 public:
  enum class Join { queued, tooManyRequests, tooManyBytes };
  struct Slot {
    Replica* replica = nullptr;  ///< its slot is taken, and a shared one
    bool poolFull = false;       ///< no slot, for want of a shared one only: join(), then join the pool's line
  };
  struct Grant {
    Waiter* waiter = nullptr;    ///< no longer queued
    Replica* replica = nullptr;  ///< its slot is taken, and a shared one
    bool poolFull = false;       ///< nothing granted, for want of a shared slot only: join the pool's line
  };
  struct Refused {
    Waiter* waiter = nullptr;  ///< no longer queued
    Join why = Join::queued;
  };
  enum class SharedSlot { take, given };  ///< given: the caller has taken it, and gives it back when nothing is granted

  /// Requests that run already keep running; they are charged to the shared slots, or these are given back, as the new
  /// settings say. True as with release().
  [[nodiscard]] bool configure(AdmissionSettings settings);
  void add(Replica& replica);
  void remove(Replica& replica);

  /// A free slot for a new request; no replica when it has to wait: no slot, or others wait already.
  /// `avoid`: not this one, unless it is the only one with room (a retry).
  Slot tryTake(TimePoint now, const Replica* avoid = nullptr);
  /// Gives a slot back. Follow with next(). True: functions wait for shared slots, and the pool's line has to be served.
  [[nodiscard]] bool release(Replica& replica, TimePoint now);
  /// So many slots of it more (or less) are taken by requests that were not admitted here. Follow with next() when less. Only without
  /// shared slots.
  void occupy(Replica& replica, int more, TimePoint now);

  /// Puts a request in the queue, at its end, or (`front`, for one that was dispatched before) at its head, where the
  /// bounds do not apply: what was accepted once is not refused later. What does not fit into `unasked` with all that is accepted
  /// waits for settle() as well: it may be refused there, but gets a slot in its turn even before.
  Join join(Waiter& waiter, TimePoint now, bool front = false, const Waiting& unasked = kAllMayWait);
  void leave(Waiter& waiter, TimePoint now);
  Waiter* first() const { return first_; }  ///< of those that wait
  /// The first waiting request and its slot, when both exist. Call until it returns nothing.
  Grant next(TimePoint now, SharedSlot slot = SharedSlot::take);

  Claim claim() const { return {accepted_, waiting(), arrivals_}; }
  /// The answer to a claim: so much may wait. Accepts what fits of that which waited then, and returns the first that doesn't. Call
  /// until it returns none.
  Refused settle(const Claim& claim, const Waiting& places, TimePoint now);
  bool settled() const { return !unsettled_; }
  Waiting waiting() const { return {queued_, queuedBytes_}; }
  Waiting bound() const { return {settings_.queueRequests, settings_.queueBytes}; }

  int atMost() const { return settings_.atMost; }
  int inFlight() const { return inFlight_; }
  int queued() const { return queued_; }
  std::int64_t queuedBytes() const { return queuedBytes_; }
  /// Replicas of versions that take traffic.
  int offered() const;
  int replicas() const { return static_cast<int>(replicas_.size()); }
  /// Integral of inFlight + queued over time, in request-milliseconds.
  std::int64_t concurrencyMillis(TimePoint now) const;
  TimePoint lastActive(TimePoint now) const;

 private:
  struct Version {
    std::int64_t number;
    int weight = 0;
    std::int64_t current = 0;                                   // of the weighted round-robin
    std::size_t rotation = 0;                                   // below replicas.size(): ties go around
    Replica* candidate = nullptr;                               // written by choose()
    boost::container::small_vector<Replica*, 4> replicas = {};  // of replicas_, those of this version
  };
  using Versions = boost::container::small_vector<Version, 1>;  // more than one only while an update goes on
  Version* choose(const Replica* avoid);
  static Replica* leastLoaded(const Version& version, const Replica* avoid);
  Replica* take(Version& winner, TimePoint now);
  void regroup();
  void meter(TimePoint now);
  bool accepted(const Waiter& waiter) const { return waiter.number <= settledTo_; }
  Join fits(const Waiter& waiter, const Waiting& places) const;

  // What every request touches lies together, from the end of settings_ on.
  AdmissionSettings settings_;
  Versions versions_;
  Waiter* first_ = nullptr;
  int inFlight_ = 0, queued_ = 0;
  std::int64_t concurrencyNanos_ = 0;
  TimePoint metered_{};
  TimePoint lastActive_{};
  Waiter* last_ = nullptr;
  std::int64_t queuedBytes_ = 0;
  // The queue's accepted requests come before the others.
  Waiter* unsettled_ = nullptr;  // the first of the others
  Waiting accepted_;
  std::int64_t arrivals_ = 0, settledTo_ = 0;
  std::vector<Replica*> replicas_;
};

}  // namespace pilotlight::core
