#include "core/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/conditions.h"
#include "functions.h"

namespace pilotlight::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A small world: what a Plan asks for becomes what is observed next.
class World {
 public:
  Observed observed;
  PlanOptions options{.render = testing::clusterOptions(), .history = 2};
  std::chrono::system_clock::time_point now{std::chrono::seconds(1769860800)};
  bool gatewayAnswers = true;

  World() { observed.function = testing::function(); }

  Plan plan() const { return decide(observed, options, now); }

  Plan pass() {
    now += std::chrono::seconds(1);
    const Plan plan = this->plan();
    if (plan.newVersion) {
      observed.versions.push_back(*plan.newVersion);
    }
    for (const auto& version : plan.deployments) {
      if (deployment(version.spec.number) == nullptr) {
        observed.deployments.push_back({version.metadata.name, version.spec.number, 0});
      }
    }
    for (const auto& scale : plan.scale) {
      std::ranges::find(observed.deployments, scale.deployment, &DeploymentState::name)->replicas = scale.replicas;
    }
    writeRoute(plan.route);
    for (const auto& version : plan.remove) {
      std::erase_if(observed.versions, [&](const auto& v) { return v.spec.number == version.spec.number; });
      std::erase_if(observed.deployments, [&](const auto& d) { return d.version == version.spec.number; });
    }
    observed.function.status = plan.status;
    return plan;
  }

  void settle() {
    for (int i = 0; i < 10; ++i) {
      pass();
      for (const auto& each : observed.deployments) {
        runPods(each.version, each.replicas);
      }
    }
  }

  void runPods(std::int64_t version, int count, const std::string& problem = "") {
    std::erase_if(observed.pods, [&](const PodState& pod) { return pod.version == version; });
    for (int i = 0; i < count; ++i) {
      observed.pods.push_back({.name = versionName("orders", version) + "-" + std::to_string(i),
                               .version = version,
                               .ready = problem.empty(),
                               .deleting = false,
                               .problem = problem,
                               .problemMessage = problem.empty() ? "" : "back-off 10s restarting"});
    }
  }

  DeploymentState* deployment(std::int64_t version) {
    const auto it = std::ranges::find(observed.deployments, version, &DeploymentState::version);
    return it == observed.deployments.end() ? nullptr : &*it;
  }

  void change(const std::string& image) {
    observed.function.spec.image = image;
    ++observed.function.metadata.generation;
  }

  void acknowledge() { observed.route->status.gateways = {{"gateway-0", observed.route->metadata.generation}}; }

  std::int64_t servedVersion() const {
    return observed.route && !observed.route->spec.backends.empty() ? observed.route->spec.backends[0].version : 0;
  }

 private:
  void writeRoute(const api::FunctionRoute& route) {
    const bool changed = !observed.route || observed.route->spec.functionGeneration != route.spec.functionGeneration ||
                         observed.route->spec.backends.size() != route.spec.backends.size() ||
                         (!route.spec.backends.empty() && observed.route->spec.backends[0].version != route.spec.backends[0].version);
    if (!changed) {
      return;
    }
    const auto generation = observed.route ? observed.route->metadata.generation : 0;
    const auto status = observed.route ? observed.route->status : api::FunctionRouteStatus{};
    observed.route = route;
    observed.route->metadata.generation = generation + 1;
    observed.route->status = status;
    if (gatewayAnswers) {
      acknowledge();
    }
  }
};

const api::Condition& condition(const api::FunctionStatus& status, const char* type) {
  const auto* found = findCondition(status.conditions, type);
  static const api::Condition none;
  return found == nullptr ? none : *found;
}

TEST(Plan, FirstPassMakesAVersionItsDeploymentAndARouteToIt) {
  World world;
  const Plan plan = world.plan();
  ASSERT_TRUE(plan.newVersion);
  EXPECT_EQ(plan.newVersion->metadata.name, "orders-00001");
  EXPECT_EQ(plan.deployments.size(), 1U);
  ASSERT_EQ(plan.route.spec.backends.size(), 1U);
  EXPECT_EQ(plan.route.spec.backends[0].deployment, "orders-00001");
  EXPECT_EQ(plan.route.spec.backends[0].weight, 100);
  EXPECT_THAT(plan.events, Contains(Field(&PlannedEvent::reason, "VersionCreated")));
}

TEST(Plan, StatusSaysWhereTheShimIsFrom) {
  World world;
  EXPECT_EQ(world.plan().status.shim, "copied");
  world.observed.function.spec.pod.annotations[kAnnotationShimInImage] = "true";
  EXPECT_EQ(world.plan().status.shim, "image");
  world.options.render.copyShim = false;
  EXPECT_EQ(world.plan().status.shim, "");
}

TEST(Plan, IsQuietOnceEverythingIsAsItShallBe) {
  World world;
  world.settle();
  const Plan plan = world.plan();
  EXPECT_FALSE(plan.newVersion);
  EXPECT_THAT(plan.scale, IsEmpty());
  EXPECT_THAT(plan.remove, IsEmpty());
  EXPECT_THAT(plan.events, IsEmpty());
  EXPECT_EQ(condition(plan.status, kConditionReady).lastTransitionTime,
            condition(world.observed.function.status, kConditionReady).lastTransitionTime);
}

TEST(Plan, ParkedReplicasAreBesideThoseThatMustBe) {
  World world;
  world.observed.function.spec.scale.min = 1;
  world.observed.function.spec.scale.parked = 2;
  world.settle();
  EXPECT_EQ(world.deployment(1)->replicas, 3);
}

TEST(Plan, AParkedReplicaProvesNothingOfItsVersion) {
  World world;
  world.settle();
  world.change("two");
  world.pass();
  world.pass();
  world.runPods(2, 1);
  world.observed.pods.back().parked = true;
  world.pass();
  EXPECT_EQ(world.servedVersion(), 1) << "its handler has never run";
  world.observed.pods.back().parked = false;
  world.pass();
  EXPECT_EQ(world.servedVersion(), 2);
}

TEST(Plan, StatusTellsWarmAndParkedReplicasApart) {
  World world;
  world.observed.function.spec.scale.parked = 1;
  world.settle();
  world.deployment(1)->replicas = 2;
  world.runPods(1, 2);
  world.observed.pods.back().parked = true;
  const auto status = world.plan().status;
  EXPECT_EQ(status.replicas, 2);
  EXPECT_EQ(status.readyReplicas, 1);
  EXPECT_EQ(status.parkedReplicas, 1);
  EXPECT_EQ(condition(status, kConditionScaled).message, "1 replicas are ready, 1 parked");
}

TEST(Plan, InitialScaleIsBroughtUpBeforeReady) {
  World world;
  world.observed.function.spec.scale.initial = 2;
  world.pass();
  Plan plan = world.pass();
  ASSERT_EQ(plan.scale.size(), 1U);
  EXPECT_EQ(plan.scale[0].replicas, 2);
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "False");
  EXPECT_EQ(condition(plan.status, kConditionReady).reason, "InitialScale");
  world.runPods(1, 1);
  EXPECT_EQ(condition(world.plan().status, kConditionReady).status, "False");
  world.runPods(1, 2);
  plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "True");
  EXPECT_TRUE(plan.status.initialScaleReached);
  world.runPods(1, 0);
  EXPECT_EQ(condition(world.plan().status, kConditionReady).status, "True") << "once is enough";
}

TEST(Plan, InitialZeroIsReadyAsSoonAsEveryGatewayKnowsTheRoute) {
  World world;
  world.observed.function.spec.scale.initial = 0;
  world.gatewayAnswers = false;
  world.pass();
  Plan plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionReady).reason, "WaitingForGateways");
  world.observed.route->status.gateways = {{"a", 1}, {"b", 0}};
  plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "False");
  EXPECT_THAT(condition(plan.status, kConditionRouteReady).message, HasSubstr("b"));
  world.observed.route->status.gateways = {{"a", 1}, {"b", 1}};
  plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "True");
  EXPECT_EQ(condition(plan.status, kConditionScaled).reason, "AtZero");
  EXPECT_THAT(plan.scale, IsEmpty());
}

TEST(Plan, ARouteChangeMakesNoVersion) {
  World world;
  world.settle();
  world.observed.function.spec.http.routes = {{"/only", {}}};
  ++world.observed.function.metadata.generation;
  const Plan plan = world.pass();
  EXPECT_FALSE(plan.newVersion);
  EXPECT_EQ(plan.route.spec.routes.size(), 1U);
  EXPECT_EQ(plan.route.spec.backends[0].version, 1);
}

TEST(Plan, AtZeroAChangeShiftsTheRouteAtOnce) {
  World world;
  world.observed.function.spec.scale.initial = 0;
  world.settle();
  world.change("two");
  const Plan plan = world.pass();
  EXPECT_EQ(plan.route.spec.backends[0].version, 2);
  EXPECT_THAT(plan.scale, IsEmpty());
}

TEST(Plan, UnderLoadTheNewVersionIsBroughtUpBeforeTheRouteShifts) {
  World world;
  world.settle();
  world.deployment(1)->replicas = 3;
  world.runPods(1, 3);
  world.change("two");
  EXPECT_EQ(world.pass().route.spec.backends[0].version, 1);
  Plan plan = world.pass();
  EXPECT_THAT(plan.scale, ElementsAre(Field(&ScaleTo::replicas, 3)));
  EXPECT_EQ(plan.route.spec.backends[0].version, 1);
  EXPECT_EQ(condition(plan.status, kConditionProgressing).reason, "BringingUp");
  EXPECT_EQ(plan.status.versions.stable, 1);
  EXPECT_EQ(plan.status.versions.latest, 2);

  world.runPods(2, 2);
  EXPECT_EQ(world.pass().route.spec.backends[0].version, 1) << "two of three are not enough";
  world.runPods(2, 3);
  world.gatewayAnswers = false;
  plan = world.pass();
  EXPECT_EQ(plan.route.spec.backends[0].version, 2);
  EXPECT_THAT(plan.events, Contains(Field(&PlannedEvent::reason, "TrafficShifted")));
  EXPECT_EQ(world.deployment(1)->replicas, 3);

  world.pass();
  EXPECT_EQ(world.deployment(1)->replicas, 3) << "a gateway may still send there";
  world.acknowledge();
  world.pass();
  EXPECT_EQ(world.deployment(1)->replicas, 0);
  EXPECT_EQ(world.deployment(2)->replicas, 3);
}

TEST(Plan, AVersionThatCrashesTakesNoTraffic) {
  World world;
  world.settle();
  world.change("broken");
  world.pass();
  world.pass();
  world.runPods(2, 1, "CrashLoopBackOff");
  Plan plan = world.pass();
  EXPECT_EQ(plan.route.spec.backends[0].version, 1);
  EXPECT_EQ(condition(plan.status, kConditionProgressing).status, "False");
  EXPECT_EQ(condition(plan.status, kConditionProgressing).reason, "CrashLoopBackOff");
  EXPECT_THAT(condition(plan.status, kConditionProgressing).message, HasSubstr("back-off 10s"));
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "True") << "the old version serves";
  EXPECT_THAT(plan.events, ElementsAre(Field(&PlannedEvent::reason, "CrashLoopBackOff")));
  EXPECT_THAT(world.pass().events, IsEmpty()) << "told once";

  world.deployment(1)->replicas = 0;  // idle
  world.runPods(1, 0);
  EXPECT_EQ(world.pass().route.spec.backends[0].version, 1) << "not even when the old one is at zero";
}

TEST(Plan, AHandlerThatDoesNotListenIsNamed) {
  World world;
  world.settle();
  ASSERT_FALSE(world.observed.pods.empty());
  for (auto& pod : world.observed.pods) {
    pod.ready = false;
    pod.runsUnready = true;
  }
  const Plan plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionProgressing).reason, "NotListening");
  EXPECT_EQ(condition(plan.status, kConditionProgressing).status, "True") << "it may yet";
  EXPECT_THAT(condition(plan.status, kConditionProgressing).message, HasSubstr("orders-00001-0 runs, but its handler does not listen"));
}

TEST(Plan, APodThatMayNotBeMadeIsTold) {
  World world;
  world.settle();
  world.change("larger");
  world.pass();
  world.pass();
  world.deployment(2)->cantMakePods = "exceeded quota: small";
  const Plan plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionProgressing).reason, "FailedCreate");
  EXPECT_THAT(condition(plan.status, kConditionProgressing).message, HasSubstr("version 2: exceeded quota: small"));
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "True") << "the old version serves";
}

TEST(Plan, GoingBackFromACrashingVersionReusesTheOldOne) {
  World world;
  world.settle();
  world.change("broken");
  world.pass();
  world.pass();
  world.runPods(2, 1, "CrashLoopBackOff");
  world.pass();
  world.change("registry.example/orders:1");
  Plan plan = world.pass();
  EXPECT_FALSE(plan.newVersion);
  EXPECT_EQ(plan.status.versions.latest, 1);
  world.settle();
  EXPECT_EQ(world.deployment(2)->replicas, 0);
  EXPECT_EQ(world.servedVersion(), 1);
  EXPECT_EQ(condition(world.observed.function.status, kConditionProgressing).reason, "Complete");
}

TEST(Plan, PodsOfAVersionThatIsBeingScaledDownDoNotCountForGoingBackToIt) {
  World world;
  world.settle();
  world.deployment(1)->replicas = 1;
  world.runPods(1, 1);
  world.change("two");
  world.settle();
  world.runPods(2, 1);
  world.settle();
  ASSERT_EQ(world.servedVersion(), 2);
  ASSERT_EQ(world.deployment(1)->replicas, 0);
  world.runPods(1, 1);  // not yet gone
  world.change("registry.example/orders:1");
  const Plan plan = world.pass();
  EXPECT_EQ(plan.route.spec.backends[0].version, 2);
  EXPECT_EQ(world.deployment(1)->replicas, 1) << "brought up again first";
  EXPECT_EQ(world.pass().route.spec.backends[0].version, 1);
}

TEST(Plan, ABrokenFirstVersionDoesNotHoldItsSuccessorBack) {
  World world;
  world.observed.function.spec.scale.initial = 3;
  world.pass();
  world.pass();
  world.runPods(1, 3, "CrashLoopBackOff");
  EXPECT_EQ(condition(world.pass().status, kConditionReady).reason, "CrashLoopBackOff");
  world.change("fixed");
  world.pass();
  world.pass();
  world.runPods(2, 1);
  EXPECT_EQ(world.pass().route.spec.backends[0].version, 2);
}

TEST(Plan, OldVersionsGoBeyondTheHistoryButNotWhileTheyHavePods) {
  World world;
  world.observed.function.spec.scale.initial = 0;
  world.settle();
  for (const char* image : {"two", "three", "four"}) {
    world.change(image);
    world.settle();
  }
  EXPECT_EQ(world.observed.versions.size(), 3U) << "the one that serves and two";
  EXPECT_EQ(world.observed.versions.front().spec.number, 2);
  world.runPods(2, 1);
  world.observed.pods[0].deleting = true;
  world.change("five");
  EXPECT_THAT(world.pass().remove, IsEmpty());
  world.runPods(2, 0);
  EXPECT_EQ(world.pass().remove.size(), 1U);
}

TEST(Plan, NumbersAreNeverUsedAgain) {
  World world;
  world.observed.function.status.versions = {.stable = 4, .latest = 7};
  EXPECT_EQ(world.plan().newVersion->spec.number, 8);
}

TEST(Plan, PinnedReplicasAreSetExactly) {
  World world;
  world.settle();
  world.deployment(1)->replicas = 5;
  world.observed.function.spec.replicas = 2;
  EXPECT_THAT(world.plan().scale, ElementsAre(Field(&ScaleTo::replicas, 2)));
}

TEST(Plan, PinnedToZeroHasNoBackendSoThatNothingWakesIt) {
  World world;
  world.settle();
  world.observed.function.spec.replicas = 0;
  ++world.observed.function.metadata.generation;
  EXPECT_THAT(world.pass().route.spec.backends, IsEmpty());
  world.settle();
  EXPECT_EQ(world.deployment(1)->replicas, 0);
  world.observed.function.spec.replicas.reset();
  ++world.observed.function.metadata.generation;
  EXPECT_EQ(world.pass().route.spec.backends.size(), 1U);
}

TEST(Plan, MinimumIsBroughtUp) {
  World world;
  world.settle();
  world.observed.function.spec.scale.min = 2;
  EXPECT_THAT(world.plan().scale, ElementsAre(Field(&ScaleTo::replicas, 2)));
}

TEST(Plan, AConflictIsSaidAndHeals) {
  World world;
  world.settle();
  world.observed.conflict = HostConflict{"a.example", "/x", {"shop", "older"}};
  Plan plan = world.pass();
  EXPECT_EQ(condition(plan.status, kConditionRouteReady).reason, "HostPathConflict");
  EXPECT_THAT(condition(plan.status, kConditionRouteReady).message, HasSubstr("shop/older"));
  EXPECT_THAT(condition(plan.status, kConditionRouteReady).message, HasSubstr("/x"));
  EXPECT_EQ(condition(plan.status, kConditionReady).status, "False");
  EXPECT_THAT(plan.events, ElementsAre(Field(&PlannedEvent::reason, "HostPathConflict")));
  world.observed.conflict.reset();
  EXPECT_EQ(condition(world.pass().status, kConditionReady).status, "True");
}

TEST(Plan, StatusSaysWhatIsThere) {
  World world;
  world.settle();
  world.deployment(1)->replicas = 3;
  world.runPods(1, 3);
  world.observed.pods[0].ready = false;
  const auto status = world.pass().status;
  EXPECT_EQ(status.observedGeneration, 1);
  EXPECT_EQ(status.url, "http://orders.shop.example.com");
  EXPECT_EQ(status.replicas, 3);
  EXPECT_EQ(status.readyReplicas, 2);
  EXPECT_EQ(status.selector, "pilotlight.dev/function=orders");
  ASSERT_EQ(status.traffic.size(), 1U);
  EXPECT_EQ(status.traffic[0].weight, 100);
  EXPECT_EQ(condition(status, kConditionScaled).reason, "Scaling");
}

TEST(Plan, ScalingFromAndToZeroIsTold) {
  World world;
  world.settle();
  world.deployment(1)->replicas = 0;
  world.runPods(1, 0);
  EXPECT_THAT(world.pass().events, ElementsAre(Field(&PlannedEvent::reason, "ScaledToZero")));
  world.deployment(1)->replicas = 1;
  EXPECT_THAT(world.pass().events, ElementsAre(Field(&PlannedEvent::reason, "ScaledFromZero")));
}

TEST(Plan, ALostRouteIsWrittenAgainForTheVersionThatServed) {
  World world;
  world.settle();
  world.change("broken");
  world.pass();
  world.pass();
  world.runPods(2, 1, "CrashLoopBackOff");
  world.pass();
  world.observed.route.reset();
  EXPECT_EQ(world.pass().route.spec.backends[0].version, 1);
}

// A crash may come between any two writes: whatever part of a plan was carried out, later passes end in the same place.
TEST(Plan, HealsWhateverPartOfAPassWasCarriedOut) {
  World world;
  world.settle();
  world.change("two");
  const Plan plan = world.plan();
  world.observed.versions.push_back(*plan.newVersion);  // the version was written, nothing else
  EXPECT_FALSE(world.plan().newVersion);
  world.settle();
  EXPECT_EQ(world.servedVersion(), 2);
  EXPECT_EQ(world.deployment(1)->replicas, 0);
  EXPECT_EQ(condition(world.observed.function.status, kConditionReady).status, "True");
}

TEST(InvalidStatus, SaysWhatIsWrongAndKeepsTheRest) {
  World world;
  world.settle();
  const auto before = world.observed.function.status;
  const auto after = invalidStatus(before, 9, "spec.handler: required", world.now);
  EXPECT_EQ(condition(after, kConditionReady).reason, "Invalid");
  EXPECT_EQ(condition(after, kConditionReady).message, "spec.handler: required");
  EXPECT_EQ(after.versions.stable, 1);
  EXPECT_EQ(after.observedGeneration, 9);
  EXPECT_THAT(eventsBetween(before, after), ElementsAre(Field(&PlannedEvent::reason, "Invalid")));
}

TEST(SetCondition, KeepsTheTransitionTimeWhileTheStatusIsTheSame) {
  std::vector<api::Condition> conditions;
  const std::chrono::system_clock::time_point start{std::chrono::seconds(1769860800)};
  setCondition(conditions, {.type = "Ready", .status = "False", .reason = "A"}, start);
  setCondition(conditions, {.type = "Ready", .status = "False", .reason = "B"}, start + std::chrono::seconds(5));
  EXPECT_EQ(conditions[0].lastTransitionTime, "2026-01-31T12:00:00Z");
  EXPECT_EQ(conditions[0].reason, "B");
  setCondition(conditions, {.type = "Ready", .status = "True", .reason = "C"}, start + std::chrono::seconds(9));
  EXPECT_EQ(conditions[0].lastTransitionTime, "2026-01-31T12:00:09Z");
  EXPECT_EQ(conditions.size(), 1U);
}

TEST(Plan, WhatAGatewayAcknowledgedThatIsGoneHoldsNothingUp) {
  World world;
  world.observed.gateways = {"gateway-0"};
  world.settle();
  world.runPods(1, 2);
  world.deployment(1)->replicas = 2;
  world.gatewayAnswers = false;
  world.change("registry.example/orders:2");
  world.settle();
  world.runPods(2, 2);
  world.settle();
  ASSERT_EQ(world.servedVersion(), 2);
  auto& acks = world.observed.route->status.gateways;
  acks = {{"gateway-0", world.observed.route->metadata.generation}, {"gateway-9", 1}};
  world.observed.gateways = {"gateway-0", "gateway-9"};
  EXPECT_THAT(world.plan().scale, IsEmpty()) << "gateway-9 may still send to version 1";
  EXPECT_THAT(world.plan().forgetGateways, IsEmpty());
  world.observed.gateways.reset();
  EXPECT_THAT(world.plan().scale, IsEmpty()) << "who is there is not known";

  world.observed.gateways = {"gateway-0"};
  const Plan plan = world.plan();
  EXPECT_THAT(plan.forgetGateways, ElementsAre("gateway-9"));
  EXPECT_THAT(plan.scale, Contains(Field(&ScaleTo::deployment, "orders-00001")));
  EXPECT_EQ(condition(plan.status, "Ready").status, "True");
}

TEST(Plan, WithEveryGatewayGoneNobodyHasAcknowledged) {
  World world;
  world.observed.gateways = {"gateway-0"};
  world.settle();
  world.observed.gateways = std::set<std::string>{};
  const Plan plan = world.plan();
  EXPECT_THAT(plan.forgetGateways, ElementsAre("gateway-0"));
  EXPECT_NE(condition(plan.status, "Ready").status, "True");
}

}  // namespace
}  // namespace pilotlight::core
