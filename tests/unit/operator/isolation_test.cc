#include <gmock/gmock.h>

#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using testing::Json;

class Isolation : public testing::OperatorTest {
 protected:
  Isolation() {
    options_.localPaths = false;
    options_.network =
        core::NetworkOptions{.gatewayNamespace = "system", .gatewayLabels = {{"app", "gateway"}}, .monitoringNamespaces = {}};
  }
  kube::Client& client() { return cluster_; }
  kube::Object policy() { return get(resources::networkPolicies, "pilotlight-hello"); }
  kube::Object budget() { return get(resources::podDisruptionBudgets, "pilotlight-hello"); }
};

Json scaled(int min) {
  return {{"scale", {{"min", min}, {"initial", 0}}}};
}

TEST_F(Isolation, AFunctionHasItsNetworkPolicyBeforeAnyReplica) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  ASSERT_TRUE(policy());
  EXPECT_EQ(*policy().at("/spec/policyTypes"), Json::array({"Ingress"}));
  EXPECT_EQ(policy().stringAt("/spec/ingress/0/from/0/podSelector/matchLabels/app"), "gateway");
  EXPECT_LT(std::stoull(policy().resourceVersion()), std::stoull(get(resources::deployments, "hello-00001").resourceVersion()));
}

TEST_F(Isolation, WhatTheFunctionMayReachIsFollowedWithoutANewVersion) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  applyFunction("hello", {{"network", {{"egress", Json::array()}}}});
  ASSERT_TRUE(eventually([&] { return policy().at("/spec/egress") != nullptr; }));
  EXPECT_EQ(*policy().at("/spec/policyTypes"), Json::array({"Ingress", "Egress"}));
  applyFunction("hello");
  EXPECT_TRUE(eventually([&] { return policy().at("/spec/egress") == nullptr; }));
  EXPECT_FALSE(get(resources::functionVersions, "hello-00002"));
}

TEST_F(Isolation, ARuleThatOnlyLosesAPartIsFollowed) {
  startOperator();
  const Json api{{"podLabels", {{"app", "api"}}}};
  Json elsewhere = api;
  elsewhere["namespaceLabels"] = {{"team", "billing"}};
  applyFunction("hello", {{"network", {{"egress", Json::array({elsewhere})}}}});
  const char* const chosen = "/spec/egress/2/to/0/namespaceSelector";
  ASSERT_TRUE(eventually([&] { return isReady("hello") && policy().at(chosen) != nullptr; })) << policy().json();
  applyFunction("hello", {{"network", {{"egress", Json::array({api})}}}});
  EXPECT_TRUE(eventually([&] { return policy().at(chosen) == nullptr; })) << policy().json();
}

TEST_F(Isolation, WhatSomebodyChangesOrRemovesComesBack) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello") && policy(); }));
  const std::string uid = policy().uid();
  ASSERT_TRUE(client().remove(resources::networkPolicies, {"default", "pilotlight-hello"}));
  ASSERT_TRUE(eventually([&] { return policy() && policy().uid() != uid; }));
  const Json open{{"spec", {{"ingress", Json::array({Json::object()})}}}};
  ASSERT_TRUE(client().mergePatch(resources::networkPolicies, {"default", "pilotlight-hello"}, open, "someone"));
  EXPECT_TRUE(eventually([&] { return policy().stringAt("/spec/ingress/0/from/0/podSelector/matchLabels/app") == "gateway"; }));
}

TEST_F(Isolation, ADisruptionBudgetComesWithTwoReplicasAndGoesBelow) {
  startOperator();
  applyFunction("hello", scaled(1));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  EXPECT_FALSE(budget());
  applyFunction("hello", scaled(2));
  ASSERT_TRUE(eventually([&] { return static_cast<bool>(budget()); }));
  EXPECT_EQ(budget().intAt("/spec/maxUnavailable"), 1);
  applyFunction("hello", scaled(1));
  EXPECT_TRUE(eventually([&] { return !budget(); }));
}

TEST_F(Isolation, NothingIsLeftOfADeletedFunction) {
  startOperator();
  applyFunction("hello", scaled(2));
  ASSERT_TRUE(eventually([&] { return isReady("hello") && policy() && budget(); }));
  ASSERT_TRUE(client().remove(resources::functions, {"default", "hello"}));
  EXPECT_TRUE(eventually([&] { return !policy() && !budget(); }));
}

TEST_F(Isolation, PoliciesThatAreNoLongerWantedAreRemoved) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello") && policy(); }));
  stopOperator();
  options_.network.reset();
  startOperator();
  EXPECT_TRUE(eventually([&] { return !policy(); }));
}

}  // namespace
}  // namespace pilotlight::op
