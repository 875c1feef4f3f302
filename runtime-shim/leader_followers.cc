#include "runtime-shim/leader_followers.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace pilotlight::shim {
namespace {

thread_local std::uint64_t ownLoan = 0;  // the loan that this thread has made and not taken back; 0: none

}  // namespace

LeaderFollowers::LeaderFollowers(net::Loop& loop, std::size_t limit) : loop_(loop), limit_(limit) {}

LeaderFollowers::~LeaderFollowers() = default;

// --- the lease ---

// By the thread that holds it. Ordered against watched_: either the watcher sees the change, or we see that nobody watches.
LeaderFollowers::Lease LeaderFollowers::change(Lease state) {
  const Lease before = lease_.load(std::memory_order_relaxed);
  const Lease after = before - stateOf(before) + kStates + state;
  lease_.store(after, std::memory_order_seq_cst);
  return after;
}

bool LeaderFollowers::take(Lease lease) {
  return lease_.compare_exchange_strong(lease, lease - stateOf(lease) + kHeld);
}

void LeaderFollowers::lend() {
  lentAt_ = net::Clock::now();
  ownLoan = change(kLent);
  if (!watched_.load(std::memory_order_seq_cst)) callWatcher();
}

bool LeaderFollowers::takeBack() {
  if (ownLoan == 0 || !take(std::exchange(ownLoan, 0))) return false;
  onLoan_ += net::Clock::now() - lentAt_;
  return true;
}

void LeaderFollowers::aboutToWait() {
  if (!takeBack()) return;
  change(kFree);
  callWatcher();
}

// --- threads ---

void LeaderFollowers::run(std::function<void()> stopped) {
  stopped_ = std::move(stopped);
  lead();
  follow();
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void LeaderFollowers::callWatcher() {
  std::lock_guard lock(mutex_);
  if (watched_) return tick_.notify_one();
  haveFollower();  // else the next one that has nothing else to do
  watched_ = watcherCalled_ = true;
  ++calls_;
  called_.notify_one();
}

// With mutex_: whether there is one for a call more.
bool LeaderFollowers::haveFollower() {
  if (calls_ < idle_) return true;
  if (threads_.size() >= limit_ || ended_) return false;
  try {
    threads_.emplace_back([this] { follow(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void LeaderFollowers::follow() {
  for (;;) {
    Job* job = nullptr;
    {
      std::unique_lock lock(mutex_);
      ++idle_;
      called_.wait(lock, [this] { return ended_ || calls_ != 0; });
      --idle_;
      if (ended_) return;
      --calls_;
      if (!std::exchange(watcherCalled_, false)) job = &handed_.pop();
    }
    if (!job) {
      if (watch()) lead();
    } else {
      job->run();
      report(*job);
    }
  }
}

// True: the loop is this thread's. False: nothing has happened for a tick, and whoever lends the loop next calls again.
bool LeaderFollowers::watch() {
  std::unique_lock lock(mutex_);
  for (Lease seen = ~Lease{0}; !ended_;) {
    const Lease lease = lease_.load();
    const bool same = lease == seen;
    if (stateOf(lease) == kFree || (stateOf(lease) == kLent && same)) {
      if (take(lease)) {
        watched_ = false;
        if (stateOf(lease) == kLent) debt_ = kMostDebt;
        return true;
      }
    } else if (same && stateOf(lease) == kHeld) {
      watched_ = false;
      if (lease_.load() == lease) return false;
      watched_ = true;
    }
    seen = lease;
    tick_.wait_for(lock, kTick);
  }
  return false;
}

// --- jobs ---

void LeaderFollowers::lead() {
  using std::chrono::milliseconds;
  while (loop_.turn(line_.empty() ? net::Loop::kForever : milliseconds(0))) {
    const net::Clock::time_point enough = loop_.now() + kTurnTime;
    while (!line_.empty()) {
      if (!runNext()) return;
      if (!line_.empty() && net::Clock::now() >= enough) break;
    }
  }
  stopped_();
  std::lock_guard lock(mutex_);
  ended_ = true;
  called_.notify_all();
  tick_.notify_all();
}

// False: the loop is another thread's now.
bool LeaderFollowers::runNext() {
  Job& job = line_.pop();
  if ((job.isLong() || debt_ > kCredit) && handOver(job)) return true;
  return runOnLoan(job);
}

bool LeaderFollowers::handOver(Job& job) {
  std::lock_guard lock(mutex_);
  if (!haveFollower()) return false;
  handed_.push(job);
  ++calls_;
  called_.notify_one();
  debt_ -= kHandOver;
  return true;
}

bool LeaderFollowers::runOnLoan(Job& job) {
  onLoan_ = {};
  lend();
  job.run();
  if (takeBack()) {
    debt_ += onLoan_ - (line_.empty() ? kFairAlone : kFairInLine);
    debt_ = std::clamp<net::Clock::duration>(debt_, {}, kMostDebt);
    loop_.perform([&job] { job.done(); });
    return true;
  }
  report(job);
  const Lease lease = lease_.load();
  return stateOf(lease) == kFree && take(lease);
}

// Without the loop. Comes after what the job itself has posted.
void LeaderFollowers::report(Job& job) {
  loop_.post([&job] { job.done(); });
}

}  // namespace pilotlight::shim
