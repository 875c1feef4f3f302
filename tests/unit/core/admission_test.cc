#include "core/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

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
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}}));
  Replica small = replica(1, 2), large = replica(1, 8);
  admission.add(small);
  admission.add(large);
  for (int i = 0; i < 5; ++i) ASSERT_NE(admission.tryTake(t0).replica, nullptr);
  EXPECT_EQ(small.inFlight, 1);
  EXPECT_EQ(large.inFlight, 4);
  for (int i = 0; i < 5; ++i) ASSERT_NE(admission.tryTake(t0).replica, nullptr);
  EXPECT_EQ(admission.tryTake(t0).replica, nullptr);
  EXPECT_EQ(small.inFlight, 2);
  EXPECT_EQ(large.inFlight, 8);
}

TEST(Admission, KeepsTheOrderOfTheQueueAndLetsNobodyOvertake) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}}));
  Replica one = replica(1, 1);
  admission.add(one);
  ASSERT_EQ(admission.tryTake(t0).replica, &one);
  Waiter a, b, retried;
  EXPECT_EQ(admission.join(a, t0), Admission::Join::queued);
  EXPECT_EQ(admission.join(b, t0), Admission::Join::queued);
  EXPECT_EQ(admission.join(retried, t0, true), Admission::Join::queued);
  EXPECT_EQ(admission.next(t0).waiter, nullptr);
  EXPECT_FALSE(admission.release(one, t0));
  EXPECT_EQ(admission.tryTake(t0).replica, nullptr) << "a newcomer overtook";
  EXPECT_EQ(admission.next(t0).waiter, &retried);
  EXPECT_FALSE(admission.release(one, t0));
  EXPECT_EQ(admission.next(t0).waiter, &a);
  admission.leave(b, t0);
  EXPECT_EQ(admission.queued(), 0);
}

TEST(Admission, BoundsTheQueueInEntriesAndBytes) {
  Admission admission;
  EXPECT_FALSE(admission.configure({2, 100, {{1, 100}}}));
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
  EXPECT_FALSE(admission.configure({0, 0, {{1, 95}, {2, 5}}}));
  Replica stable = replica(1, 1000), canary = replica(2, 1000);
  admission.add(stable);
  admission.add(canary);
  int toCanary = 0;
  for (int i = 0; i < 1000; ++i) {
    Replica* taken = admission.tryTake(t0).replica;
    ASSERT_NE(taken, nullptr);
    toCanary += taken == &canary;
    EXPECT_FALSE(admission.release(*taken, t0));
  }
  EXPECT_EQ(toCanary, 50);
}

TEST(Admission, GivesNothingToAVersionWithoutWeightOrARemovedReplica) {
  Admission admission;
  EXPECT_FALSE(admission.configure({0, 0, {{1, 100}, {2, 0}}}));
  Replica other = replica(2, 1), gone = replica(1, 1);
  admission.add(other);
  admission.add(gone);
  admission.remove(gone);
  EXPECT_EQ(admission.tryTake(t0).replica, nullptr);
  EXPECT_FALSE(admission.configure({0, 0, {{1, 0}, {2, 100}}}));
  EXPECT_EQ(admission.tryTake(t0).replica, &other);
}

TEST(Admission, AvoidsAReplicaUnlessItIsTheOnlyOne) {
  Admission admission;
  EXPECT_FALSE(admission.configure({0, 0, {{1, 100}}}));
  Replica a = replica(1, 5), b = replica(1, 5);
  admission.add(a);
  EXPECT_EQ(admission.tryTake(t0, &a).replica, &a);
  admission.add(b);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(admission.tryTake(t0, &a).replica, &b);
}

TEST(Admission, TiesGoAroundWithinAVersion) {
  Admission admission;
  EXPECT_FALSE(admission.configure({0, 0, {{1, 50}, {2, 50}}}));
  std::vector<Replica> replicas(6, replica(1, 1));
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    replicas[i].version = 1 + static_cast<std::int64_t>(i) % 2;
    admission.add(replicas[i]);
  }
  std::vector<Replica*> seen;
  for (int i = 0; i < 6; ++i) {
    seen.push_back(admission.tryTake(t0).replica);
    ASSERT_NE(seen.back(), nullptr);
    EXPECT_FALSE(admission.release(*seen.back(), t0));
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end()) << "one replica had two turns before another had one";
}

TEST(Admission, KeepsTheTurnsOfVersionsWhenTheRouteChanges) {
  Admission admission;
  EXPECT_FALSE(admission.configure({0, 0, {{1, 50}, {2, 50}}}));
  Replica one = replica(1, 10), two = replica(2, 10);
  admission.add(one);
  admission.add(two);
  EXPECT_EQ(admission.tryTake(t0).replica, &one);
  EXPECT_FALSE(admission.configure({5, 5, {{1, 50}, {2, 50}}}));
  EXPECT_EQ(admission.tryTake(t0).replica, &two);
}

TEST(Admission, NeverHasMoreAtOnceThanIsReserved) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}, 2}));
  Replica one = replica(1, 10);
  admission.add(one);
  ASSERT_EQ(admission.tryTake(t0).replica, &one);
  ASSERT_EQ(admission.tryTake(t0).replica, &one);
  EXPECT_EQ(admission.tryTake(t0).replica, nullptr);
  Waiter waiter;
  EXPECT_EQ(admission.join(waiter, t0), Admission::Join::queued);
  EXPECT_EQ(admission.next(t0).waiter, nullptr);
  EXPECT_FALSE(admission.release(one, t0));
  EXPECT_EQ(admission.next(t0).waiter, &waiter);
}

TEST(Admission, RefusesEverythingWhenNothingIsReserved) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}, 0}));
  Replica one = replica(1, 10);
  admission.add(one);
  EXPECT_EQ(admission.tryTake(t0).replica, nullptr);
  Waiter waiter;
  EXPECT_EQ(admission.join(waiter, t0), Admission::Join::tooManyRequests);
}

TEST(Admission, TakesASharedSlotWithEachReplicasAndSaysWhenOnlyThatIsMissing) {
  SharedSlots slots;
  slots.setLimit(1);
  Admission admission;
  EXPECT_FALSE(admission.configure({.queueRequests = 10, .queueBytes = 10, .versions = {{1, 100}}, .shared = &slots}));
  EXPECT_FALSE(admission.tryTake(t0).poolFull) << "there is no replica";
  EXPECT_EQ(slots.taken(), 0);
  Replica one = replica(1, 2);
  admission.add(one);
  ASSERT_EQ(admission.tryTake(t0).replica, &one);
  EXPECT_EQ(slots.taken(), 1);
  EXPECT_TRUE(admission.tryTake(t0).poolFull);
  Waiter waiter;
  EXPECT_EQ(admission.join(waiter, t0), Admission::Join::queued);
  EXPECT_TRUE(admission.next(t0).poolFull);
  EXPECT_FALSE(admission.release(one, t0)) << "nobody has said that he waits";
  EXPECT_EQ(slots.taken(), 0);
  ASSERT_TRUE(slots.takeForLine());
  EXPECT_EQ(admission.next(t0, Admission::SharedSlot::given).waiter, &waiter);
  EXPECT_EQ(slots.taken(), 1);
}

TEST(Admission, TakesWhatRunsAlongWhenItJoinsOrLeavesThePool) {
  SharedSlots slots;
  slots.setLimit(10);
  Admission admission;
  const AdmissionSettings shares{.queueRequests = 10, .queueBytes = 10, .versions = {{1, 100}}, .shared = &slots};
  const AdmissionSettings reserves{.queueRequests = 10, .queueBytes = 10, .versions = {{1, 100}}, .atMost = 5};
  EXPECT_FALSE(admission.configure(shares));
  Replica one = replica(1, 10);
  admission.add(one);
  for (int i = 0; i < 3; ++i) ASSERT_NE(admission.tryTake(t0).replica, nullptr);
  EXPECT_EQ(slots.taken(), 3);
  slots.announce();
  EXPECT_TRUE(admission.configure(reserves)) << "slots came back while somebody waits";
  EXPECT_EQ(slots.taken(), 0);
  EXPECT_FALSE(admission.configure(shares));
  EXPECT_EQ(slots.taken(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(admission.release(one, t0));
  EXPECT_EQ(slots.taken(), 0);
}

TEST(Admission, MetersConcurrencyExactly) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}}));
  Replica one = replica(1, 1);
  admission.add(one);
  EXPECT_EQ(admission.lastActive(t0), TimePoint{});
  ASSERT_NE(admission.tryTake(t0).replica, nullptr);  // 1 from 0
  Waiter waiter;
  admission.join(waiter, t0 + milliseconds(100));                // 2 from 100
  admission.leave(waiter, t0 + milliseconds(150));               // 1 from 150
  EXPECT_FALSE(admission.release(one, t0 + milliseconds(400)));  // 0 from 400
  EXPECT_EQ(admission.concurrencyMillis(t0 + milliseconds(1000)), 100 + 2 * 50 + 250);
  EXPECT_EQ(admission.lastActive(t0 + milliseconds(1000)), t0 + milliseconds(400));
}

TEST(Admission, HoldsItsInvariantsUnderRandomUse) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    Admission admission;
    EXPECT_FALSE(admission.configure({8, 1000, {{1, 60}, {2, 40}}}));
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
          if (Replica* taken = admission.tryTake(now).replica) held.push_back(taken);
          break;
        case 3:
          if (!held.empty()) {
            EXPECT_FALSE(admission.release(*held.back(), now));
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

TEST(Admission, HoldsWhatItMayNotAcceptYetAndRefusesItWhenItIsToldSo) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}}));
  std::vector<Waiter> waiters(6);
  for (Waiter& each : waiters) {
    each.bytes = 10;
    ASSERT_EQ(admission.join(each, t0, false, {2, 1000}), Admission::Join::queued);
  }
  EXPECT_FALSE(admission.settled());
  const Claim claim = admission.claim();
  EXPECT_EQ(claim.accepted, (Waiting{2, 20}));
  EXPECT_EQ(claim.waits, (Waiting{6, 60}));
  admission.leave(waiters[0], t0);  // its place is another's
  Waiter later;
  EXPECT_EQ(admission.join(later, t0, false, {}), Admission::Join::queued);
  EXPECT_EQ(admission.settle(claim, {3, 60}, t0).waiter, &waiters[4]);
  EXPECT_EQ(admission.settle(claim, {3, 60}, t0).waiter, &waiters[5]);
  EXPECT_EQ(admission.settle(claim, {3, 60}, t0).waiter, nullptr);
  EXPECT_EQ(admission.claim().accepted, (Waiting{3, 30}));
  EXPECT_FALSE(admission.settled()) << "who came after the question waits for the next answer";
  EXPECT_EQ(admission.queued(), 4);
}

TEST(Admission, RefusesForBytesWhatOnlyTheyAreMissingFor) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}}));
  Waiter large, small;
  large.bytes = 100;
  small.bytes = 10;
  for (Waiter* each : {&large, &small}) ASSERT_EQ(admission.join(*each, t0, false, {}), Admission::Join::queued);
  const auto refused = admission.settle(admission.claim(), {2, 50}, t0);
  EXPECT_EQ(refused.waiter, &large);
  EXPECT_EQ(refused.why, Admission::Join::tooManyBytes);
  EXPECT_EQ(admission.settle(admission.claim(), {2, 50}, t0).waiter, nullptr);
  EXPECT_TRUE(small.queued);
}

TEST(Admission, GivesSlotsInTurnAlsoToWhatIsNotAcceptedYet) {
  Admission admission;
  EXPECT_FALSE(admission.configure({10, 1000, {{1, 100}}}));
  Replica one = replica(1, 1);
  Waiter waiter, retried;
  EXPECT_EQ(admission.join(waiter, t0, false, {}), Admission::Join::queued);
  EXPECT_EQ(admission.join(retried, t0, true, {}), Admission::Join::queued);
  EXPECT_EQ(admission.claim().accepted.requests, 1) << "what was dispatched before is accepted";
  admission.add(one);
  EXPECT_EQ(admission.next(t0).waiter, &retried);
  EXPECT_FALSE(admission.release(one, t0));
  EXPECT_EQ(admission.next(t0).waiter, &waiter);
  EXPECT_TRUE(admission.settled());
  EXPECT_EQ(admission.claim().accepted, Waiting{});
}

}  // namespace
}  // namespace pilotlight::core
