#include "core/admission.h"

#include <gtest/gtest.h>

#include <random>

namespace pilotlight::core {
namespace {

using std::chrono::milliseconds;
const TimePoint t0{std::chrono::hours(1)};

Replica replica(std::int64_t version, int limit) {
  Replica r;
  r.version = version;
  r.limit = limit;
  return r;
}

TEST(Admission, TakesTheLeastLoadedInProportionToItsLimit) {
  Admission admission;
  admission.configure({10, 1000, {{1, 100}}});
  Replica small = replica(1, 2), large = replica(1, 8);
  admission.add(small);
  admission.add(large);
  for (int i = 0; i < 5; ++i) ASSERT_NE(admission.tryTake(t0), nullptr);
  EXPECT_EQ(small.inFlight, 1);
  EXPECT_EQ(large.inFlight, 4);
  for (int i = 0; i < 5; ++i) ASSERT_NE(admission.tryTake(t0), nullptr);
  EXPECT_EQ(admission.tryTake(t0), nullptr);
  EXPECT_EQ(small.inFlight, 2);
  EXPECT_EQ(large.inFlight, 8);
}

TEST(Admission, KeepsTheOrderOfTheQueueAndLetsNobodyOvertake) {
  Admission admission;
  admission.configure({10, 1000, {{1, 100}}});
  Replica one = replica(1, 1);
  admission.add(one);
  ASSERT_EQ(admission.tryTake(t0), &one);
  Waiter a, b, retried;
  EXPECT_EQ(admission.join(a, t0), Admission::Join::queued);
  EXPECT_EQ(admission.join(b, t0), Admission::Join::queued);
  EXPECT_EQ(admission.join(retried, t0, true), Admission::Join::queued);
  EXPECT_EQ(admission.next(t0).waiter, nullptr);
  admission.release(one, t0);
  EXPECT_EQ(admission.tryTake(t0), nullptr) << "a newcomer overtook";
  EXPECT_EQ(admission.next(t0).waiter, &retried);
  admission.release(one, t0);
  EXPECT_EQ(admission.next(t0).waiter, &a);
  admission.leave(b, t0);
  EXPECT_EQ(admission.queued(), 0);
}

TEST(Admission, BoundsTheQueueInEntriesAndBytes) {
  Admission admission;
  admission.configure({2, 100, {{1, 100}}});
  Waiter a, b, c, large;
  a.bytes = b.bytes = c.bytes = 10;
  large.bytes = 95;
  EXPECT_EQ(admission.join(a, t0), Admission::Join::queued);
  EXPECT_EQ(admission.join(large, t0), Admission::Join::tooManyBytes);
  EXPECT_EQ(admission.join(b, t0), Admission::Join::queued);
  EXPECT_EQ(admission.join(c, t0), Admission::Join::tooManyRequests);
  EXPECT_EQ(admission.join(c, t0, true), Admission::Join::queued) << "what was accepted once is not refused later";
  admission.leave(a, t0);
  admission.leave(b, t0);
  admission.leave(c, t0);
  EXPECT_EQ(admission.queuedBytes(), 0);
}

TEST(Admission, SpreadsVersionsByWeightExactly) {
  Admission admission;
  admission.configure({0, 0, {{1, 95}, {2, 5}}});
  Replica stable = replica(1, 1000), canary = replica(2, 1000);
  admission.add(stable);
  admission.add(canary);
  int toCanary = 0;
  for (int i = 0; i < 1000; ++i) {
    Replica* taken = admission.tryTake(t0);
    ASSERT_NE(taken, nullptr);
    toCanary += taken == &canary;
    admission.release(*taken, t0);
  }
  EXPECT_EQ(toCanary, 50);
}

TEST(Admission, GivesNothingToAVersionWithoutWeightOrARemovedReplica) {
  Admission admission;
  admission.configure({0, 0, {{1, 100}, {2, 0}}});
  Replica other = replica(2, 1), gone = replica(1, 1);
  admission.add(other);
  admission.add(gone);
  admission.remove(gone);
  EXPECT_EQ(admission.tryTake(t0), nullptr);
  admission.configure({0, 0, {{1, 0}, {2, 100}}});
  EXPECT_EQ(admission.tryTake(t0), &other);
}

TEST(Admission, AvoidsAReplicaUnlessItIsTheOnlyOne) {
  Admission admission;
  admission.configure({0, 0, {{1, 100}}});
  Replica a = replica(1, 5), b = replica(1, 5);
  admission.add(a);
  EXPECT_EQ(admission.tryTake(t0, &a), &a);
  admission.add(b);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(admission.tryTake(t0, &a), &b);
}

TEST(Admission, MetersConcurrencyExactly) {
  Admission admission;
  admission.configure({10, 1000, {{1, 100}}});
  Replica one = replica(1, 1);
  admission.add(one);
  EXPECT_EQ(admission.lastActive(t0), TimePoint{});
  admission.tryTake(t0);  // 1 from 0
  Waiter waiter;
  admission.join(waiter, t0 + milliseconds(100));   // 2 from 100
  admission.leave(waiter, t0 + milliseconds(150));  // 1 from 150
  admission.release(one, t0 + milliseconds(400));   // 0 from 400
  EXPECT_EQ(admission.concurrencyMillis(t0 + milliseconds(1000)), 100 + 2 * 50 + 250);
  EXPECT_EQ(admission.lastActive(t0 + milliseconds(1000)), t0 + milliseconds(400));
}

TEST(Admission, HoldsItsInvariantsUnderRandomUse) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    Admission admission;
    admission.configure({8, 1000, {{1, 60}, {2, 40}}});
    std::vector<Replica> replicas;
    for (int i = 0; i < 4; ++i) replicas.push_back(replica(1 + i % 2, 1 + i));
    std::vector<Waiter> waiters(12);
    std::vector<Replica*> held;
    int queued = 0;
    for (int step = 0; step < 500; ++step) {
      const TimePoint now = t0 + milliseconds(step);
      switch (random() % 6) {
        case 0:
          admission.add(replicas[random() % 4]);
          break;
        case 1:
          admission.remove(replicas[random() % 4]);
          break;
        case 2:
          if (Replica* taken = admission.tryTake(now)) held.push_back(taken);
          break;
        case 3:
          if (!held.empty()) {
            admission.release(*held.back(), now);
            held.pop_back();
          }
          break;
        case 4: {
          Waiter& waiter = waiters[random() % waiters.size()];
          if (waiter.queued)
            admission.leave(waiter, now), --queued;
          else if (admission.join(waiter, now) == Admission::Join::queued)
            ++queued;
          break;
        }
        default:
          while (true) {
            const auto grant = admission.next(now);
            if (!grant.waiter) break;
            --queued;
            held.push_back(grant.replica);
          }
      }
      ASSERT_EQ(admission.queued(), queued);
      ASSERT_LE(queued, 8);
      ASSERT_EQ(admission.inFlight(), static_cast<int>(held.size()));
      for (const Replica& r : replicas) ASSERT_LE(r.inFlight, r.limit);
    }
  }
}

}  // namespace
}  // namespace pilotlight::core
