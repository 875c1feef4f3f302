// The protocol of core/pool.h with threads that come in random orders.
#include <gtest/gtest.h>

#include <coroutine>
#include <deque>
#include <random>

#include "core/admission.h"
#include "core/pool.h"

namespace pilotlight::core {
namespace {

const TimePoint t0{std::chrono::hours(1)};

/// A thread of execution that a test steps from one co_await to the next: what is between them happens at once, as under a lock.
struct Steps {
  struct promise_type {
    Steps get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<promise_type> handle;
};

constexpr std::suspend_always elsewhere;  ///< other threads may run here

/// The protocol of pool.h, with every place where a lock is not held open to other threads.
class World {
 public:
  struct Function : Share {
    Admission admission;
    Replica replica;
  };
  struct Request : Waiter {
    bool granted = false;
  };

  World(std::uint32_t seed, int functions, int limit) : random_(seed), limit_(limit) {
    slots_.setLimit(limit);
    for (int i = 0; i < functions; ++i) {
      Function& function = functions_.emplace_back();
      function.replica.version = 1;
      function.replica.limit = 1 + static_cast<int>(random_() % 3);
      function.admission.add(function.replica);
      (void)function.admission.configure({.queueRequests = 3, .queueBytes = 10, .versions = {{1, 100}}, .shared = &slots_});
    }
  }
  ~World() {
    for (const Steps& thread : threads_) thread.handle.destroy();
  }

  void run(int requests) {
    for (int i = 0; i < requests; ++i) threads_.push_back(request(functions_[random_() % functions_.size()]));
    while (!threads_.empty() && !testing::Test::HasFatalFailure()) {
      Steps& thread = threads_[random_() % threads_.size()];
      thread.handle.resume();
      if (thread.handle.done()) {
        thread.handle.destroy();
        std::swap(thread, threads_.back());
        threads_.pop_back();
      }
      check();
      // A lost wake-up would be a request that waits for ever, and this a loop without end.
      ASSERT_LT(++steps_, requests * 10'000);
    }
  }

  int refused() const { return refused_; }
  int waited() const { return waited_; }
  std::int64_t taken() const { return slots_.taken(); }

 private:
  Steps request(Function& function) {
    Request own;
    const Admission::Slot slot = function.admission.tryTake(t0);
    const bool queued = !slot.replica && function.admission.join(own, t0) == Admission::Join::queued;
    if (!slot.replica && !queued) {
      ++refused_;
      co_return;
    }
    co_await elsewhere;
    if (slot.poolFull) threads_.push_back(wait(function));
    if (queued) {
      ++waited_;
      while (!own.granted) co_await elsewhere;
    }
    for (int i = static_cast<int>(random_() % 20); i > 0; --i) co_await elsewhere;
    const bool othersWait = function.admission.release(function.replica, t0);
    const bool ownWait = function.admission.queued() > 0;
    co_await elsewhere;
    if (othersWait) threads_.push_back(servedAfter(function));
    if (ownWait) threads_.push_back(deliver(function));
  }

  Steps wait(Function& function) {
    while (lineLocked_) co_await elsewhere;
    lineLocked_ = true;
    slots_.announce();
    co_await elsewhere;
    line_.join(function, function.admission.inFlight());
    lineLocked_ = false;
    threads_.push_back(serve());
  }

  Steps servedAfter(Function& function) {
    while (lineLocked_) co_await elsewhere;
    if (function.waiting) line_.join(function, function.admission.inFlight());
    threads_.push_back(serve());
  }

  Steps deliver(Function& function) {
    for (;;) {
      const Admission::Grant grant = function.admission.next(t0);
      co_await elsewhere;
      if (grant.poolFull) threads_.push_back(wait(function));
      if (!grant.waiter) co_return;
      static_cast<Request*>(grant.waiter)->granted = true;
    }
  }

  Steps serve() {
    while (lineLocked_) co_await elsewhere;
    lineLocked_ = true;
    while (Share* first = line_.first()) {
      if (!slots_.takeForLine()) {
        lineLocked_ = false;
        co_return;
      }
      inTransit_ = 1;
      co_await elsewhere;
      auto& function = static_cast<Function&>(*first);
      const Admission::Grant grant = function.admission.next(t0, Admission::SharedSlot::given);
      if (grant.waiter) inTransit_ = 0;
      co_await elsewhere;
      if (grant.waiter) {
        line_.granted(function);
        static_cast<Request*>(grant.waiter)->granted = true;
      } else {
        line_.leave(function);
        inTransit_ = 0;
        (void)slots_.release();
      }
    }
    slots_.retract();
    lineLocked_ = false;
  }

  void check() {
    int inFlight = 0;
    for (const Function& function : functions_) {
      ASSERT_LE(function.admission.inFlight(), function.replica.limit);
      ASSERT_LE(function.admission.queued(), 3);
      inFlight += function.admission.inFlight();
    }
    ASSERT_EQ(slots_.taken(), inFlight + inTransit_);
    ASSERT_LE(slots_.taken(), limit_);
  }

  std::mt19937 random_;
  const int limit_;
  SharedSlots slots_;
  FairLine line_;
  bool lineLocked_ = false;
  int inTransit_ = 0;
  int refused_ = 0, waited_ = 0, steps_ = 0;
  std::deque<Function> functions_;
  std::deque<Steps> threads_;
};

TEST(Pool, LosesNoSlotAndNoWaiterHoweverThreadsInterleave) {
  int waited = 0, refused = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    World world(seed, 1 + static_cast<int>(seed % 5), 1 + static_cast<int>(seed % 4));
    world.run(40);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
    ASSERT_EQ(world.taken(), 0) << "seed " << seed;
    waited += world.waited();
    refused += world.refused();
  }
  EXPECT_GT(waited, 1000) << "the seeds no longer fill the pool";
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace pilotlight::core
