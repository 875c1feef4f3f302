// The status subresource and the scale subresource.
#include "client_contract.h"

namespace pilotlight::kube {

using ::testing::HasSubstr;

namespace {
Json condition(const char* type, const char* status) {
  return {
      {"type", type},           {"status", status}, {"reason", "Because"}, {"message", ""}, {"lastTransitionTime", "2026-01-31T12:00:00Z"},
      {"observedGeneration", 1}};
}
}  // namespace

TEST_P(ClientContract, WritesOfTheMainResourceIgnoreStatus) {
  Json object = function("fn");
  object["status"] = {{"url", "http://sent"}};
  EXPECT_EQ(create(resources::functions, object).stringAt("/status/url"), "");
  EXPECT_EQ(apply(resources::functions, object, "applier", true).stringAt("/status/url"), "");
  Json update = get(resources::functions, "fn").json();
  update["status"] = {{"url", "http://sent"}};
  EXPECT_EQ(must(client.update(resources::functions, update, "updater")).stringAt("/status/url"), "");
  EXPECT_EQ(must(client.mergePatch(resources::functions, key("fn"), {{"status", {{"url", "x"}}}}, "m")).stringAt("/status/url"), "");
}

TEST_P(ClientContract, ApplyStatusWritesStatusAndNothingElse) {
  create(resources::functions, function("fn"));
  Json object = function("fn");
  object["spec"]["image"] = "example/other:1";
  object["status"] = {{"url", "http://fn"}};
  const Object written = must(client.applyStatus(resources::functions, object, {"operator"}));
  EXPECT_EQ(written.stringAt("/status/url"), "http://fn");
  EXPECT_EQ(written.stringAt("/spec/image"), "example/image:1");
  EXPECT_EQ(written.generation(), 1);
  EXPECT_EQ(apply(resources::functions, function("fn"), "applier", true).stringAt("/status/url"), "http://fn")
      << "survives writes of the spec";
}

TEST_P(ClientContract, ApplyStatusOfNothingIsNotFound) {
  Json object = function("none");
  object.erase("spec");
  object["status"] = {{"url", "http://fn"}};
  EXPECT_THAT(client.applyStatus(resources::functions, object, {"operator"}), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, ApplyStatusThatChangesNothingKeepsTheVersion) {
  create(resources::functions, function("fn"));
  Json object = function("fn");
  object.erase("spec");
  object["status"] = {{"url", "http://fn"}, {"conditions", Json::array({condition("Ready", "True")})}};
  const Object first = must(client.applyStatus(resources::functions, object, {"operator"}));
  EXPECT_EQ(must(client.applyStatus(resources::functions, object, {"operator"})).resourceVersion(), first.resourceVersion());
}

TEST_P(ClientContract, ConditionsOfTwoManagersLiveSideBySide) {
  create(resources::functions, function("fn"));
  Json object = function("fn");
  object.erase("spec");
  object["status"] = {{"conditions", Json::array({condition("Ready", "True")})}};
  must(client.applyStatus(resources::functions, object, {"one"}));
  object["status"] = {{"conditions", Json::array({condition("Scaled", "False")})}};
  EXPECT_EQ(must(client.applyStatus(resources::functions, object, {"two"})).at("/status/conditions")->size(), 2U);
  object["status"] = Json::object();
  const Object after = must(client.applyStatus(resources::functions, object, {"one"}));
  ASSERT_EQ(after.at("/status/conditions")->size(), 1U);
  EXPECT_EQ(after.stringAt("/status/conditions/0/type"), "Scaled");
}

TEST_P(ClientContract, EveryGatewayAcknowledgesARouteForItself) {
  create(resources::functionRoutes, route("fn"));
  Json object = route("fn");
  object.erase("spec");
  for (const char* gateway : {"gateway-a", "gateway-b"}) {
    object["status"] = {{"gateways", Json::array({{{"gateway", gateway}, {"observedGeneration", 1}}})}};
    must(client.applyStatus(resources::functionRoutes, object, {gateway}));
  }
  EXPECT_EQ(get(resources::functionRoutes, "fn").at("/status/gateways")->size(), 2U);
}

TEST_P(ClientContract, MergePatchOfStatusTouchesOnlyStatus) {
  create(resources::functions, function("fn"));
  const Json patch = {{"spec", {{"image", "example/other:1"}}}, {"status", {{"replicas", 3}}}};
  const Object patched = must(client.mergePatch(resources::functions, key("fn"), patch, "test", "status"));
  EXPECT_EQ(patched.intAt("/status/replicas"), 3);
  EXPECT_EQ(patched.stringAt("/spec/image"), "example/image:1");
}

TEST_P(ClientContract, ANewPodIsPending) {
  Json object = pod("p");
  object["status"] = {{"phase", "Running"}};
  EXPECT_EQ(create(resources::pods, object).stringAt("/status/phase"), "Pending");
}

TEST_P(ClientContract, PatchScaleSetsReplicasAndReturnsTheScale) {
  const Object created = create(resources::deployments, deployment("d"));
  const Object scale = must(client.patchScale(resources::deployments, key("d"), 3, "", "autoscaler"));
  EXPECT_EQ(scale.stringAt("/kind"), "Scale");
  EXPECT_EQ(scale.intAt("/spec/replicas"), 3);
  EXPECT_NE(scale.resourceVersion(), created.resourceVersion());
  EXPECT_EQ(get(resources::deployments, "d").intAt("/spec/replicas"), 3);
  create(resources::functions, function("fn"));
  must(client.patchScale(resources::functions, key("fn"), 2, "", "kubectl"));
  EXPECT_EQ(get(resources::functions, "fn").intAt("/spec/replicas"), 2);
}

TEST_P(ClientContract, PatchScaleWithAStaleVersionIsAConflict) {
  const Object created = create(resources::deployments, deployment("d"));
  must(client.patchScale(resources::deployments, key("d"), 3, "", "autoscaler"));
  EXPECT_THAT(client.patchScale(resources::deployments, key("d"), 0, created.resourceVersion(), "autoscaler"), Fails(ErrorCode::conflict));
  EXPECT_EQ(get(resources::deployments, "d").intAt("/spec/replicas"), 3);
}

TEST_P(ClientContract, PatchScaleOfNothingOrOfAKindWithoutItIsNotFoundAndNegativeIsInvalid) {
  create(resources::deployments, deployment("d"));
  create(resources::configMaps, configMap("one"));
  EXPECT_THAT(client.patchScale(resources::deployments, key("none"), 1, "", "a"), Fails(ErrorCode::notFound));
  EXPECT_THAT(client.patchScale(resources::configMaps, key("one"), 1, "", "a"), Fails(ErrorCode::notFound));
  EXPECT_THAT(client.patchScale(resources::deployments, key("d"), -1, "", "a"), Fails(ErrorCode::invalid));
}

TEST_P(ClientContract, WhoScalesOwnsReplicasWhenSomebodyOwnedThemBefore) {
  Json atBirth = deployment("d");
  atBirth["spec"]["replicas"] = 0;
  apply(resources::deployments, atBirth, "autoscaler-at-birth");
  apply(resources::deployments, deployment("d"), "operator");
  must(client.patchScale(resources::deployments, key("d"), 4, "", "autoscaler"));
  EXPECT_EQ(apply(resources::deployments, deployment("d"), "operator").intAt("/spec/replicas"), 4)
      << "an apply that omits it leaves it alone";
  Json withReplicas = deployment("d");
  withReplicas["spec"]["replicas"] = 1;
  const auto refused = client.apply(resources::deployments, withReplicas, {"operator"});
  ASSERT_THAT(refused, Fails(ErrorCode::conflict));
  EXPECT_THAT(refused.error().message, HasSubstr("autoscaler"));
  EXPECT_THAT(refused.error().message, HasSubstr(".spec.replicas"));
}

/// The scale's own managed fields are those that touch replicas, and an object without any is not tracked.
TEST_P(ClientContract, ScalingWhatNobodyOwnsGivesItToNobody) {
  apply(resources::deployments, deployment("d"), "operator");
  must(client.patchScale(resources::deployments, key("d"), 4, "", "autoscaler"));
  EXPECT_EQ(apply(resources::deployments, deployment("d"), "operator").intAt("/spec/replicas"), 4);
  Json withReplicas = deployment("d");
  withReplicas["spec"]["replicas"] = 1;
  EXPECT_EQ(apply(resources::deployments, withReplicas, "operator").intAt("/spec/replicas"), 1) << "no conflict";
  must(client.patchScale(resources::deployments, key("d"), 5, "", "autoscaler"));
  EXPECT_THAT(client.apply(resources::deployments, withReplicas, {"operator"}), Fails(ErrorCode::conflict)) << "operator owned them";
}

TEST_P(ClientContract, ScalingTakesReplicasFromWhoAppliedIt) {
  Json withReplicas = deployment("d");
  withReplicas["spec"]["replicas"] = 0;
  apply(resources::deployments, withReplicas, "autoscaler-at-birth");
  must(client.patchScale(resources::deployments, key("d"), 2, "", "gateway"));
  EXPECT_EQ(apply(resources::deployments, deployment("d"), "autoscaler-at-birth").intAt("/spec/replicas"), 2);
}

}  // namespace pilotlight::kube
