#include <gmock/gmock.h>

#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using testing::Json;

class Autoscaling : public testing::OperatorTest {
 protected:
  Json scale(const char* toZeroAfter, int max = 20) {
    return {{"scale", {{"initial", 0}, {"max", max}, {"toZeroAfter", toZeroAfter}}},
            {"concurrency", {{"perReplica", 10}, {"target", 100}}}};
  }
};

TEST_F(Autoscaling, AWaitingBurstRaisesReplicasWithoutATick) {
  options_.autoscaleTick = std::chrono::hours(1);
  startOperator();
  applyFunction("hello", scale("1h"));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  load_.set("hello", 0, 45);
  load_.demand("hello");
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 5; }));
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("ScaledFromZero"); }));
}

TEST_F(Autoscaling, RespectsTheMaximum) {
  startOperator();
  applyFunction("hello", scale("1h", 3));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  load_.set("hello", 0, 1000);
  load_.demand("hello");
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 3; }));
}

TEST_F(Autoscaling, GoesToZeroWhenIdleAndTicksNoMore) {
  startOperator();
  applyFunction("hello", scale("1s"));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  load_.set("hello", 0, 5);
  load_.demand("hello");
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 1; }));
  load_.set("hello", 0, 0);
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 0; }));
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("ScaledToZero"); }));
  EXPECT_TRUE(eventually([&] {  // twenty ticks without a question
    const int before = load_.calls();
    std::this_thread::sleep_for(20 * options_.autoscaleTick);
    return load_.calls() == before;
  }));
}

TEST_F(Autoscaling, WhatAGatewayRaisedStaysForItsTime) {
  startOperator();
  applyFunction("hello", scale("1s"));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  const auto raised = std::chrono::steady_clock::now();
  ASSERT_TRUE(cluster_.patchScale(resources::deployments, {"default", "hello-00001"}, 1, "", "pilotlight-gateway"));
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 0; }));
  EXPECT_GE(std::chrono::steady_clock::now() - raised, std::chrono::seconds(1));
}

TEST_F(Autoscaling, FollowsLoadUpAndDown) {
  startOperator();
  applyFunction("hello", scale("1h"));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  load_.set("hello", 0, 1);
  load_.demand("hello");
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 1; }));
  load_.set("hello", 40, 0);
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 4; }));
  load_.set("hello", 5, 0);
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 1; }));
}

TEST_F(Autoscaling, AVersionBroughtUpAtZeroGoesOutAgainWhenIdle) {
  startOperator();
  node_->crash("broken");
  Json first = scale("1s");
  first["scale"]["initial"] = 1;
  applyFunction("hello", first);
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  first["image"] = "two";
  applyFunction("hello", first);
  EXPECT_TRUE(eventually([&] { return serving("hello") == 2; }));
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 0 && replicas("hello-00002") == 0; }));
}

TEST_F(Autoscaling, AnOperatorThatStartsKnowsWhoIsLit) {
  startOperator();
  applyFunction("hello", scale("1s"));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  stopOperator();
  ASSERT_TRUE(cluster_.patchScale(resources::deployments, {"default", "hello-00001"}, 4, "", "pilotlight-gateway"));
  startOperator();
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 0; }));
}

}  // namespace
}  // namespace pilotlight::op
