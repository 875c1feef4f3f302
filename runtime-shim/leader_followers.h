// Threads that take turns at running one loop and the user code it calls for: the Leader/Followers pattern (Schmidt and
// others, Pattern-Oriented Software Architecture 2), with a lead that is lent rather than given away.
//
// One thread, the leader, runs the loop. What it finds to do is run by itself, between two turns of the loop. The loop waits
// meanwhile: it is on loan, and nothing is woken, handed over or copied. A follower looks at the loan every kTick, and takes the
// loop for itself when it finds the same one twice; the thread that had lent it posts its result when it is done, and becomes a
// follower. So a job that blocks, or takes the processor for long, holds up the others for two ticks at most.
//
// The time for which jobs keep the loop beyond what is fair is a debt, paid back by handing jobs to followers instead, at the
// price of a hand-over each. So short jobs are never handed over, and long ones nearly always.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace pilotlight::shim {

/// User code that the loop calls for. Lives until done().
class Job {
 public:
  virtual void run() = 0;                        ///< on any thread, beside the loop: may take long and block
  virtual void done() = 0;                       ///< on the loop, after run()
  virtual bool isLong() const { return false; }  ///< known to be: the loop is not lent for it

 protected:
  ~Job() = default;

 private:
  friend class LeaderFollowers;
  Job* next_ = nullptr;  // in the line
};

class LeaderFollowers {
 public:
  /// `limit`: of followers. With one more than there are jobs at a time, there is always one for the loop. The constructing
  /// thread has the loop until it calls run().
  LeaderFollowers(net::Loop& loop, std::size_t limit);
  ~LeaderFollowers();  ///< not before run() has returned

  /// Serves until the loop is stopped. Then `stopped` runs once, on the thread that has the loop, while jobs may still be
  /// running; those are waited for before it returns. Jobs in the line are forgotten.
  void run(std::function<void()> stopped);

  /// Loop only: `job` runs after this turn, in the order handed over.
  void submit(Job& job) { line_.push(job); }

  /// From Job::run(): runs `work` on the loop, at once if the loop is on loan to this thread.
  template <class Work>
  void onLoop(Work work) {
    if (!takeBack()) return loop_.post(std::move(work));
    loop_.perform(std::move(work));
    lend();
  }
  /// From Job::run(), before it waits for what the loop will bring: saves the others the ticks.
  void aboutToWait();

 private:
  // The loop's state, beside a count of its changes: held by the leader, lent while the leader runs a job, free.
  using Lease = std::uint64_t;
  static constexpr Lease kHeld = 0, kLent = 1, kFree = 2, kStates = 4;
  static constexpr std::chrono::microseconds kTick{400};
  static constexpr std::chrono::microseconds kTurnTime{500};  // for jobs, before the loop is looked at again
  static constexpr std::chrono::microseconds kFairInLine{20}, kFairAlone{50};
  static constexpr std::chrono::microseconds kHandOver{10}, kCredit{200}, kMostDebt{2000};

  class Line {
   public:
    bool empty() const { return !first_; }
    void push(Job& job) {
      job.next_ = nullptr;
      (first_ ? last_->next_ : first_) = &job;
      last_ = &job;
    }
    Job& pop() { return *std::exchange(first_, first_->next_); }

   private:
    Job* first_ = nullptr;
    Job* last_ = nullptr;
  };

  static Lease stateOf(Lease lease) { return lease % kStates; }
  Lease change(Lease state);
  bool take(Lease lease);
  void lend();
  bool takeBack();

  void lead();
  void follow();
  bool watch();
  void callWatcher();
  bool haveFollower();
  bool runNext();
  bool runOnLoan(Job& job);
  bool handOver(Job& job);
  void report(Job& job);

  net::Loop& loop_;
  const std::size_t limit_;
  std::function<void()> stopped_;  // constant once run() was called

  // The leader's: whoever takes the lease sees what the one before has left.
  Line line_;
  net::Clock::duration debt_{};
  net::Clock::time_point lentAt_{};
  net::Clock::duration onLoan_{};  // the time for which the present job has had the loop

  std::atomic<Lease> lease_ = kHeld;
  std::atomic<bool> watched_ = false;  // written under mutex_: a follower looks at the lease, or is called to
  std::mutex mutex_;
  std::condition_variable called_, tick_;
  Line handed_;                       // guarded by mutex_: jobs for followers
  bool watcherCalled_ = false;        // guarded by mutex_
  std::size_t calls_ = 0;             // guarded by mutex_: jobs in handed_, and a call for a watcher
  std::size_t idle_ = 0;              // guarded by mutex_: followers that wait for a call
  bool ended_ = false;                // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_; all but the one in run()
};

}  // namespace pilotlight::shim
