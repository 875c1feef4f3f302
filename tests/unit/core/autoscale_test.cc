#include "core/autoscale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace pilotlight::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One Function whose replicas are what the autoscaler said, ready `startup` later; time is a number that the test moves.
class Simulation {
 public:
  AutoscaleSpec spec;
  milliseconds tick{500};
  milliseconds startup{0};
  int current = 0;
  int ready = 0;
  bool panic = false;
  bool partial = false;

  Simulation() {
    spec.targetPerReplica = 10;
    spec.toZeroAfter = seconds(30);
  }

  int step(int inFlight, int queued = 0) {
    now_ += tick;
    integral_ += static_cast<std::int64_t>(load_) * tick.count();  // what was there during the tick
    load_ = inFlight + queued;
    if (load_ > 0) {
      lastActive_ = now_;
    }
    if (now_ - raisedAt_ >= startup) {
      ready = current;
    }
    const LoadSample sample{now_, inFlight, queued, integral_, lastActive_, partial};
    const auto decision = autoscaler_.decide(spec, sample, {.current = current, .ready = ready});
    panic = decision.panic;
    if (decision.replicas > current) {
      raisedAt_ = now_;
    }
    current = decision.replicas;
    ready = std::min(ready, current);
    return current;
  }

  void hold(int inFlight, milliseconds length) {
    for (milliseconds passed{0}; passed < length; passed += tick) {
      step(inFlight);
    }
  }

 private:
  Autoscaler autoscaler_;
  SteadyTime now_{seconds(1000)};
  SteadyTime lastActive_{};
  SteadyTime raisedAt_{};
  std::int64_t integral_ = 0;
  int load_ = 0;
};

TEST(Autoscale, StaysAtZeroWithoutLoad) {
  Simulation sim;
  sim.hold(0, seconds(100));
  EXPECT_EQ(sim.current, 0);
}

TEST(Autoscale, OneWaitingRequestLightsOneReplica) {
  Simulation sim;
  EXPECT_EQ(sim.step(0, 1), 1);
}

TEST(Autoscale, AWaitingBurstRaisesAtOnceToWhatItNeeds) {
  Simulation sim;
  EXPECT_EQ(sim.step(0, 95), 10);
  EXPECT_EQ(sim.step(60, 60), 12) << "those in flight count too";
}

TEST(Autoscale, RespectsTheMaximum) {
  Simulation sim;
  sim.spec.bounds.max = 8;
  EXPECT_EQ(sim.step(0, 200), 8);
  EXPECT_EQ(sim.step(0, 2000000000), 8) << "no count is too big";
}

TEST(Autoscale, FollowsASteadyLoadUp) {
  Simulation sim;
  sim.step(0, 1);
  sim.hold(45, seconds(120));
  EXPECT_EQ(sim.current, 5);
}

TEST(Autoscale, LeavesTheCountAloneWithinTenPercent) {
  Simulation sim;
  sim.step(0, 40);
  ASSERT_EQ(sim.current, 4);
  sim.hold(43, seconds(120));
  EXPECT_EQ(sim.current, 4);
}

TEST(Autoscale, KeepsReplicasUntilToZeroAfterPassed) {
  Simulation sim;
  sim.step(0, 1);
  sim.step(1);
  sim.hold(0, seconds(29));
  EXPECT_EQ(sim.current, 1);
  sim.hold(0, seconds(2));
  EXPECT_EQ(sim.current, 0);
}

TEST(Autoscale, GoesToZeroAfterABurstWithoutWaitingForTheStableWindow) {
  Simulation sim;
  sim.spec.toZeroAfter = seconds(5);
  sim.step(0, 150);
  ASSERT_EQ(sim.current, 15);
  sim.hold(0, seconds(6));
  EXPECT_EQ(sim.current, 0);
}

TEST(Autoscale, AReplicaRaisedBySomeoneElseIsGivenItsTime) {
  Simulation sim;
  sim.current = 1;  // by a gateway, for a request that this side has not seen
  sim.hold(0, seconds(29));
  EXPECT_EQ(sim.current, 1);
  sim.hold(0, seconds(2));
  EXPECT_EQ(sim.current, 0);
}

TEST(Autoscale, WhatWentByDoesNotLightAReplica) {
  Simulation sim;
  sim.step(0, 100);
  sim.hold(100, seconds(10));
  sim.current = 0;  // put out by hand
  EXPECT_EQ(sim.step(0), 0);
}

TEST(Autoscale, MinimumIsKeptWhenIdle) {
  Simulation sim;
  sim.spec.bounds.min = 2;
  EXPECT_EQ(sim.step(0), 2);
  sim.hold(0, seconds(200));
  EXPECT_EQ(sim.current, 2);
}

TEST(Autoscale, PinnedIsPinned) {
  Simulation sim;
  sim.spec.bounds.pinned = 3;
  EXPECT_EQ(sim.step(0), 3);
  EXPECT_EQ(sim.step(500, 500), 3);
}

TEST(Autoscale, GoesDownOnlyByTheHighestOfTheStableWindow) {
  Simulation sim;
  sim.step(0, 100);
  sim.hold(100, seconds(120));
  ASSERT_EQ(sim.current, 10);
  sim.hold(10, seconds(30));
  EXPECT_EQ(sim.current, 10) << "a short lull changes nothing";
  sim.hold(10, seconds(120));
  EXPECT_EQ(sim.current, 1);
}

TEST(Autoscale, ABurstWithoutAQueueIsSeenByThePanicWindow) {
  Simulation sim;
  sim.step(0, 1);
  sim.hold(5, seconds(120));
  ASSERT_EQ(sim.current, 1);
  sim.hold(100, seconds(7));
  EXPECT_TRUE(sim.panic);
  EXPECT_EQ(sim.current, 10);
}

TEST(Autoscale, PanicNeverGoesDownAndEndsAfterAStableWindow) {
  Simulation sim;
  sim.step(0, 1);
  sim.hold(5, seconds(60));
  sim.hold(100, seconds(7));
  ASSERT_TRUE(sim.panic);
  int before = sim.current;
  while (sim.panic) {
    sim.step(5);
    ASSERT_TRUE(!sim.panic || sim.current >= before);
    before = sim.current;
  }
  sim.hold(5, seconds(130));
  EXPECT_EQ(sim.current, 1);
}

TEST(Autoscale, AGatewayThatBeginsAnewDoesNotUpsetTheCount) {
  Autoscaler autoscaler;
  AutoscaleSpec spec{.targetPerReplica = 10};
  SteadyTime now{seconds(10)};
  autoscaler.decide(spec, {now, 20, 0, 1000000, now}, {2, 2});
  now += seconds(1);
  const auto decision = autoscaler.decide(spec, {now, 20, 0, 5, now}, {2, 2});
  EXPECT_EQ(decision.replicas, 2);
  EXPECT_TRUE(std::isfinite(decision.average));
}

// --- properties, over random loads -------------------------------------------------------------------------------

TEST(AutoscaleProperty, StaysWithinItsBounds) {
  std::mt19937 random(1);
  for (int round = 0; round < 100; ++round) {
    Simulation sim;
    sim.spec.bounds.min = static_cast<int>(random() % 3);
    sim.spec.bounds.max = sim.spec.bounds.min + static_cast<int>(random() % 20);
    sim.spec.targetPerReplica = 0.01 + static_cast<double>(random() % 100);
    sim.startup = milliseconds(random() % 3000);
    for (int i = 0; i < 200; ++i) {
      sim.tick = milliseconds(random() % 1000);
      const int replicas =
          sim.step(static_cast<int>(random() % 300) * (i % 50 < 40 ? 1 : 0), static_cast<int>(random() % 3) * (i % 7 == 0));
      ASSERT_GE(replicas, sim.spec.bounds.min);
      ASSERT_LE(replicas, sim.spec.bounds.max);
    }
  }
}

TEST(AutoscaleProperty, MoreLoadNeverMeansFewerReplicas) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    Simulation low, high;
    for (int i = 0; i < 20; ++i) {
      const int load = static_cast<int>(random() % 100);
      low.step(load);
      high.step(load);
    }
    ASSERT_EQ(low.current, high.current);
    const int load = static_cast<int>(random() % 100);
    const int queued = static_cast<int>(random() % 20);
    EXPECT_LE(low.step(load, queued), high.step(load + static_cast<int>(random() % 50), queued + static_cast<int>(random() % 50)));
  }
}

TEST(AutoscaleProperty, AConstantLoadEndsInAConstantCount) {
  for (int load = 1; load < 150; load += 3) {
    Simulation sim;
    sim.startup = seconds(1);
    sim.step(0, load);
    sim.hold(load, seconds(300));
    const int settled = sim.current;
    for (int i = 0; i < 400; ++i) {
      ASSERT_EQ(sim.step(load), settled) << "load " << load;
    }
    EXPECT_GE(settled * sim.spec.targetPerReplica * 1.1, load);
  }
}

TEST(AutoscaleProperty, PanicNeverGoesDownWhileThereIsLoad) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    Simulation sim;
    sim.startup = milliseconds(random() % 5000);
    for (int i = 0; i < 500; ++i) {
      const int before = sim.current;
      const int replicas = sim.step(1 + static_cast<int>(random() % (i % 100 < 50 ? 10 : 150)));
      ASSERT_TRUE(!sim.panic || replicas >= before);
    }
  }
}

TEST(ReplicaBounds, InitialScaleIsALowerBoundUntilReached) {
  api::FunctionSpec spec;
  spec.scale = {.min = 0, .max = 5, .initial = 2};
  EXPECT_EQ(replicaBounds(spec, false).min, 2);
  EXPECT_EQ(replicaBounds(spec, true).min, 0);
  spec.scale.initial = 9;
  EXPECT_EQ(replicaBounds(spec, false).min, 5);
  EXPECT_FALSE(replicaBounds(spec, true).pinned);
  spec.replicas = 0;
  EXPECT_EQ(replicaBounds(spec, true).pinned, 0);
}

TEST(TargetPerReplica, IsAPercentageAndNeverZero) {
  EXPECT_DOUBLE_EQ(targetPerReplica({.perReplica = 80, .target = 70}), 56);
  EXPECT_DOUBLE_EQ(targetPerReplica({.perReplica = 1, .target = 70}), 0.7);
  EXPECT_GT(targetPerReplica({.perReplica = 0, .target = 0}), 0);
}

TEST(SplitReplicas, RoundsUpSoThatEveryWeightHasAReplica) {
  EXPECT_EQ(splitReplicas(10, {95, 5}), (std::vector<int>{10, 1}));
  EXPECT_EQ(splitReplicas(10, {100, 0}), (std::vector<int>{10, 0}));
  EXPECT_EQ(splitReplicas(0, {50, 50}), (std::vector<int>{0, 0}));
}

TEST(Autoscale, WithoutAllLoadsKnownNothingGoesDown) {
  Simulation sim;
  sim.hold(50, seconds(70));
  ASSERT_EQ(sim.current, 5);
  sim.partial = true;
  sim.hold(0, seconds(300));
  EXPECT_EQ(sim.current, 5);
  EXPECT_EQ(sim.step(0, 95), 10) << "up it may go";
  sim.partial = false;
  sim.hold(0, seconds(40));
  EXPECT_EQ(sim.current, 0);
}

}  // namespace
}  // namespace pilotlight::core
