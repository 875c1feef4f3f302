#include "kube/workqueue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const Key a{"ns", "a"};
const Key b{"ns", "b"};

/// A queue whose time the test advances.
struct Fixture {
  WorkQueue::Clock::time_point now{};
  WorkQueue queue{{.backoffBase = milliseconds(5), .backoffMax = milliseconds(20), .now = [this] { return now; }}};
};

}  // namespace

TEST(WorkQueue, HoldsAKeyOnce) {
  WorkQueue queue;
  queue.add(a);
  queue.add(b);
  queue.add(a);
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.take(), a);
  EXPECT_EQ(queue.take(), b);
}

TEST(WorkQueue, AKeyAddedWhileBeingWorkedOnComesAgainWhenDone) {
  WorkQueue queue;
  queue.add(a);
  const auto taken = queue.take();
  queue.add(a);
  queue.add(a);
  EXPECT_EQ(queue.size(), 0U) << "not on a second worker";
  queue.done(*taken);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.take(), a);
  queue.done(a);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(WorkQueue, ADelayedKeyIsReadyWhenDueAndTheEarliestWins) {
  Fixture f;
  f.queue.addAfter(a, seconds(10));
  f.queue.addAfter(a, seconds(2));
  f.queue.addAfter(a, seconds(5));
  f.now += milliseconds(1999);
  EXPECT_EQ(f.queue.size(), 0U);
  f.now += milliseconds(1);
  EXPECT_EQ(f.queue.size(), 1U);
  EXPECT_EQ(f.queue.take(), a);
  f.queue.done(a);
  f.now += seconds(20);
  EXPECT_EQ(f.queue.size(), 0U) << "the later ones are gone";
}

TEST(WorkQueue, ADelayedKeyThatIsWorkedOnWaitsUntilDone) {
  Fixture f;
  f.queue.add(a);
  (void)f.queue.take();
  f.queue.addAfter(a, seconds(1));
  f.now += seconds(2);
  f.queue.add(b);
  EXPECT_EQ(f.queue.take(), b);
  EXPECT_EQ(f.queue.size(), 0U);
  f.queue.done(a);
  EXPECT_EQ(f.queue.size(), 1U);
}

TEST(WorkQueue, FailuresBackOffPerKeyUpToTheBoundAndAreForgottenOnSuccess) {
  Fixture f;
  const auto delay = [&f] {
    f.queue.addRateLimited(a);
    milliseconds waited{0};
    while (f.queue.size() == 0) {
      f.now += milliseconds(1);
      ++waited;
    }
    (void)f.queue.take();
    f.queue.done(a);
    return waited;
  };
  EXPECT_EQ(delay(), milliseconds(5));
  EXPECT_EQ(delay(), milliseconds(10));
  EXPECT_EQ(delay(), milliseconds(20));
  EXPECT_EQ(delay(), milliseconds(20));
  f.queue.forget(a);
  EXPECT_EQ(delay(), milliseconds(5));
}

TEST(WorkQueue, TakeWaitsForADelayedKey) {
  WorkQueue queue;
  queue.addAfter(a, milliseconds(5));
  EXPECT_EQ(queue.take(), a);
}

TEST(WorkQueue, ShutDownWakesEveryWorker) {
  WorkQueue queue;
  std::array<std::thread, 3> workers;
  for (auto& worker : workers) worker = std::thread([&queue] { EXPECT_EQ(queue.take(), std::nullopt); });
  queue.shutDown();
  for (auto& worker : workers) worker.join();
  queue.add(a);
  EXPECT_EQ(queue.take(), std::nullopt);
}

TEST(WorkQueue, AKeyIsNeverOnTwoWorkersAndNoAddIsLost) {
  constexpr int kKeys = 8;
  constexpr int kAdds = 2000;
  WorkQueue queue({.backoffBase = milliseconds(1), .backoffMax = milliseconds(2), .now = {}});
  std::array<std::atomic<int>, kKeys> added{}, seen{}, busy{};
  std::atomic<int> overlaps{0};
  const auto work = [&] {
    while (const auto key = queue.take()) {
      const auto i = static_cast<std::size_t>(key->name[0] - '0');
      if (busy[i].fetch_add(1) != 0) ++overlaps;
      seen[i].store(added[i].load());
      std::this_thread::yield();
      busy[i].fetch_sub(1);
      queue.done(*key);
    }
  };
  const auto produce = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int n = 0; n < kAdds; ++n) {
      const std::size_t i = random() % kKeys;
      const Key key{"ns", std::to_string(i)};
      ++added[i];
      switch (random() % 3) {
        case 0:
          queue.add(key);
          break;
        case 1:
          queue.addAfter(key, milliseconds(random() % 3));
          break;
        default:
          queue.addRateLimited(key);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(work);
  std::thread first(produce, 1);
  std::thread second(produce, 2);
  first.join();
  second.join();
  const auto complete = [&] {
    for (std::size_t i = 0; i < kKeys; ++i) {
      if (seen[i] != added[i]) return false;
    }
    return true;
  };
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (!complete() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(complete()) << "each key was worked on after its last add";
  queue.shutDown();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(overlaps, 0);
}

}  // namespace pilotlight::kube
