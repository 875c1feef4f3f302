// What the gateway keeps per function: its replicas, slots and queue, and counters. Shared by the event loops.
//
// Locking: one mutex per function, held for some tens of nanoseconds twice per request (see docs/adr/0004). Grants to
// waiting requests are delivered outside the lock, on the loop that owns the request. A function without a reservation shares
// the gateway's pool; see gateway/pool.h for the order of the locks.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/types.h"
#include "core/admission.h"
#include "core/cold_start.h"
#include "core/load.h"
#include "core/slot_book.h"
#include "gateway/function_counters.h"
#include "gateway/owners_options.h"
#include "gateway/pod_news.h"
#include "gateway/pool.h"
#include "kube/types.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pilotlight::gateway {

inline core::TimePoint steadyNow() {
  return std::chrono::steady_clock::now();
}

struct ReplicaPauses;

/// One replica of a function, known by the uid of its pod. What every request touches comes first.
struct alignas(64) Upstream final : core::Replica {
  net::Address address;
  std::atomic<std::chrono::milliseconds> timeout{std::chrono::seconds(30)};  // the base is guarded by FunctionEntry::mutex
  std::atomic<api::Protocol> protocol{api::Protocol::http1};                 // what its shim is talked to with
  std::string uid, pod;
  enum class Warmth : std::uint8_t { lit, parked, lighting } warmth = Warmth::lit;  // only one that is lit is offered
  core::ColdStartEnds ends;                                                         // of its start; constant
  std::atomic<bool> coldStartTold{false};                                           // a request that waited for its start has been answered
  int failures = 0;                                                                 // in a row, to connect or to light it
  bool retired = false;                                                             // gone or going: deleted when nothing is in flight
  // Of a limited function.
  core::SlotBook book;
  int users = 0;                       // requests that may still touch it
  bool fenced = false;                 // it was told of our epoch
  bool asking = false;                 // an Owners asks it, or is about to
  std::chrono::milliseconds pause{0};  // before it is asked again
  bool gone = false;                   // no process of it is left
  bool barred = false;                 // asks for tickets that its function does not need (any more)
};

/// How a request of a limited function left its replica.
enum class Ended : std::uint8_t {
  certainly,  ///< its handler is done, or never saw it
  maybe,      ///< the handler may still run
  refused,    ///< the handler never saw it, and the replica has to be asked before it gets another one
  parked,     ///< the handler never saw it, and the replica has to be lit before it gets another one
};

/// Before it is tried again; doubled with each failure.
std::chrono::milliseconds pauseAfterFailure(Upstream& upstream, const ReplicaPauses& pauses);

/// A request that can be given a slot; its owner runs on `loop`.
struct SlotTaker : core::Waiter {
  virtual net::Loop& ownerLoop() = 0;
  virtual void onGrant(Upstream& upstream) = 0;  ///< on ownerLoop()
  virtual void onMoved() = 0;                    ///< on ownerLoop(): no longer queued; another gateway gives out the slots
  virtual void onNoPlace(Limit limit) = 0;       ///< on ownerLoop(): no longer queued; too much waits in all gateways together

  contract::Ticket ticket;  ///< with the slot, if the function is limited; written under the entry's lock

 protected:
  ~SlotTaker() = default;
};

/// Another gateway's queue of a function without a reservation, at the one that counts all of them: place_desk.h.
struct PlaceHolder {
  virtual net::Loop& ownerLoop() = 0;
  virtual void onMoved() = 0;  ///< on ownerLoop(): another gateway counts

 protected:
  ~PlaceHolder() = default;
};

/// Sees to it that queues are bounded over all gateways together: places.h.
struct QueueKeeper {
  virtual int gateways() const = 0;                     ///< this one as well; thread-safe
  virtual void changed(const kube::Key& function) = 0;  ///< has something to tell: FunctionEntry::claim(). With the entry's lock

 protected:
  ~QueueKeeper() = default;
};

/// Tells the request that it has its slot, on its own loop. Without any lock.
void handOver(const core::Admission::Grant& grant);

/// The base is guarded by the pool's mutex.
class alignas(64) FunctionEntry : public core::Share {
 public:
  /// No `keeper`: this gateway is alone.
  FunctionEntry(kube::Key key, Pool& pool, QueueKeeper* keeper = nullptr) : key_(std::move(key)), pool_(pool), keeper_(keeper) {}
  ~FunctionEntry();
  FunctionEntry(const FunctionEntry&) = delete;
  FunctionEntry& operator=(const FunctionEntry&) = delete;

  const kube::Key& key() const { return key_; }
  FunctionCounters& counters() { return counters_; }
  const FunctionCounters& counters() const { return counters_; }
  /// Some request has come, or another gateway's has been counted here: functions without one have no metrics and no load.
  bool used() const { return counters_.requests.load(std::memory_order_relaxed) > 0 || owned_.load(std::memory_order_relaxed); }
  /// Asks the caches for all that a request is going to touch, at once instead of piece by piece.
  void prefetch() const;

  void configure(const api::FunctionRouteSpec& spec);  ///< one thread at a time
  /// A replica that accepts work, once it is lit if it is `parked`. Known uid: its address may have changed and its failures are
  /// forgotten.
  void up(const std::string& uid, const std::string& pod, std::int64_t version, const net::Address& address,
          const core::ColdStartEnds& ends = {}, bool parked = false);
  /// Gone for good.
  void down(const std::string& uid);
  void downAll();
  /// Its processes have ended, or the API has forgotten it.
  void gone(const std::string& uid);
  /// Not offered until up() or resume(): it can't be reached or isn't ready. Returns when to try again.
  std::chrono::milliseconds suspend(Upstream& upstream, bool unreachable, const ReplicaPauses& pauses);
  void resume(const std::string& uid);
  /// Refuses for good: it drains. Its pod will go.
  void retire(Upstream& upstream);
  /// Refuses until it is lit.
  void park(Upstream& upstream);

  struct Dark {
    std::string uid;
    net::Address address;
  };
  /// A parked replica that requests wait for: it counts as being lit from now on. Call until it returns nothing.
  std::optional<Dark> nextToLight();
  void lit(const std::string& uid);
  /// Returns when to try again; nothing: never mind, it is parked again or gone.
  std::optional<std::chrono::milliseconds> lightFailed(const std::string& uid, const ReplicaPauses& pauses);
  bool has(const std::string& uid) const;
  std::optional<net::Address> addressOf(const std::string& uid) const;  ///< of a replica that is up

  /// The API has taken the write that raises it.
  void raised() { raisedAt_.store(core::ColdStartTime::clock::now().time_since_epoch().count(), std::memory_order_relaxed); }
  std::optional<core::ColdStartTime> raisedAt() const;

  PodNews& pods() { return pods_; }
  /// Why nothing comes to a request that waits while no replica is offered: what is known of pods of the version that is woken.
  PodNews::Trouble trouble() const;

  struct Taken {
    Upstream* upstream = nullptr;
    core::Admission::Join join = core::Admission::Join::queued;  // when there was no slot
    int queued = 0;                                              // with this one
    bool poolFull = false;                                       // a replica had room, the gateway's pool had none
    bool takeOver = false;                                       // it waits for this gateway to become the owner: Owners::takeOver()
  };
  /// A slot, or a place in the queue, or neither.
  Taken take(SlotTaker& taker, core::TimePoint now, const Upstream* avoid, bool accepted);
  void release(Upstream& upstream, core::TimePoint now);
  /// False: it is no longer in the queue; its onGrant() is on its way.
  bool leave(SlotTaker& taker, core::TimePoint now);

  // Of a limited function (function_limits.cc): see owners.h.
  /// Gives a granted slot back. True: a replica has to be asked, Owners::look().
  [[nodiscard]] bool release(Upstream& upstream, const contract::Ticket& ticket, Ended how, core::TimePoint now);
  bool limited() const;
  bool anyUp() const;  ///< some replica is lit, whoever gives out its slots
  /// Gives a replica that another gateway told of what the route says of its version.
  void applyTo(Upstream& upstream) const;
  enum class Hold : std::uint8_t {
    none,    // another gateway gives out the slots, or nobody yet
    taking,  // about to: requests wait, none is granted
    owned,
  };
  Hold hold() const;
  std::optional<api::RouteOwner> owner() const;
  /// What the API said, or another gateway. Older than what is known: nothing. Newer and not `ours`: what waits here moves.
  void heardOwner(const api::RouteOwner& owner, bool ours);
  struct KnownReplica {
    std::string uid, pod;
    std::int64_t version = 0;
    net::Address address;
    bool ending = false;
  };
  /// It is the owner now. `replicas`: all in which something may run; none is given out before it was asked.
  void own(std::int64_t epoch, const std::vector<KnownReplica>& replicas);
  /// It is not (any more): what waits moves.
  void disown();
  struct Question {
    std::string uid;
    net::Address address;
    contract::Ticket lowest;
    bool first = false;  // of this epoch: needs the API's word that it is still ours
    bool lift = false;   // it shall ask for no tickets: needs the API's word that the function is not limited
  };
  std::vector<Question> questions();  ///< to replicas; each is answered by one call of answered() or unanswered()
  /// A replica of a function that is not limited refused a request for want of a ticket. Follow with Owners::look().
  void bar(Upstream& upstream);
  enum class Says : std::uint8_t {
    takes,  ///< requests with tickets from the question's on
    refuses,
    parked,  ///< takes them once it is lit
  };
  /// Returns when to ask again; 0: not for now.
  std::chrono::milliseconds answered(const Question& question, const core::RunningTickets& running, Says says, const AskPauses& pauses);
  /// `nobodyThere`: nothing listens at its address, so nothing runs; else whatever can run may.
  std::chrono::milliseconds unanswered(const Question& question, bool nobodyThere, const AskPauses& pauses);

  // The queue of a function without a reservation (function_queue.cc): see places.h.
  core::Claim claim();  ///< of the queue here; what changes from now on is told to the QueueKeeper again
  /// The answer of the gateway that counts, which believes so from now on. Those that find no place hear of it.
  void settle(const core::Claim& claim, const core::Waiting& places);
  void recount();  ///< the gateways are others
  /// Begins with `holder`, another gateway's queue; null: the one here. True: Owners::takeOver().
  [[nodiscard]] bool enter(PlaceHolder* holder);
  /// As core::PlaceBook::ask(). Nothing: ask again.
  std::optional<core::Waiting> count(PlaceHolder* holder, const std::string& gateway, const core::Claim& claim);
  bool leave(PlaceHolder& holder);  ///< false: its onMoved() is on its way
  /// This gateway is the one that counts; `all`, itself too, are heard before it refuses anybody, unless they take longer.
  void ownQueue(std::set<std::string> all, core::TimePoint until);

  // For Pool, with its lock.
  struct Shared {
    core::Admission::Grant grant;
    int queued = 0;  // after it
  };
  /// The first waiting request with the shared slot that the pool took for it; nothing when it can't be used.
  Shared takeShared(core::TimePoint now);
  int inFlight() const;

  core::FunctionLoad load() const;
  bool needsWake() const;  ///< requests wait and no replica is known, nor one that can be lit
  /// Whose deployment to wake: the version with most weight. Nothing: there is none.
  std::optional<api::RouteBackend> wakeTarget() const;
  int offered() const;  ///< replicas of versions that take traffic
  int replicas() const;
  int dark() const;  ///< replicas that are parked or being lit

 private:
  bool takesTraffic(std::int64_t version) const;  // requires mutex_, as all to deliver()
  bool promising(const Upstream& upstream) const;
  bool hasRoom() const;
  void light(Upstream& upstream, bool on);
  void sayParked(Upstream& upstream);
  void applyBackend(Upstream& upstream) const;
  void deliver(core::TimePoint now);
  void eraseIfDone(Upstream& upstream);                                            // requires mutex_
  bool someUp() const;                                                             // requires mutex_
  void offer(Upstream& upstream);                                                  // requires mutex_
  void grant(SlotTaker& taker, Upstream& upstream);                                // requires mutex_; of a limited function
  Upstream* asked(const Question& question);                                       // requires mutex_
  bool inQuestion(const Upstream& upstream) const;                                 // requires mutex_
  std::chrono::milliseconds pauseOf(Upstream& upstream, const AskPauses& pauses);  // requires mutex_
  int limitOf(const Upstream& upstream) const;                                     // requires mutex_
  void letGo();                                                                    // requires mutex_; others own it
  void forgetSlots(core::TimePoint now);                                           // requires mutex_
  void moveWaiters(core::TimePoint now);                                           // requires mutex_
  core::Waiting unasked() const;                                                   // requires mutex_
  void noteQueue();                                                                // requires mutex_
  void tellAgain();                                                                // requires mutex_
  void stopCounting();                                                             // requires mutex_
  const api::RouteBackend* heaviest() const;                                       // requires mutex_; null: nothing can be woken
  Upstream* find(const std::string& uid) const;                                    // requires mutex_

  // What every request touches comes first: prefetch() counts on it.
  mutable std::mutex mutex_;
  bool limited_ = false;       // guarded by mutex_
  core::Admission admission_;  // guarded by mutex_, as upstreams_ and backends_
  FunctionCounters counters_;
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  std::vector<api::RouteBackend> backends_;
  const kube::Key key_;
  Pool& pool_;
  QueueKeeper* const keeper_;                          // null: this gateway is alone
  int reserved_ = 0;                                   // by configure() only
  std::atomic<core::ColdStartTime::rep> raisedAt_{0};  // 0: never
  PodNews pods_;
  std::atomic<bool> owned_{false};  // once
  // Guarded by mutex_.
  Hold hold_ = Hold::none;
  std::int64_t epoch_ = 0, nextNumber_ = 0;
  std::optional<api::RouteOwner> owner_;
  bool asked_ = false;                // the keeper has asked for claim(): somebody may count what nobody here has heard of
  bool noted_ = false;                // the keeper is about to ask for claim()
  core::Waiting told_;                // what whoever counts believes to wait here
  core::PlaceBook book_;              // while this gateway counts, as the next
  std::vector<PlaceHolder*> queues_;  // of others
};

}  // namespace pilotlight::gateway
