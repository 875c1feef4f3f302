#include "operator/gather.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "operator/apply.h"

namespace pilotlight::op {
namespace {

using kube::Json;

core::PodState read(const Json& status, const Json& metadata = Json::object()) {
  Json pod{{"metadata", {{"name", "hello-1"}, {"namespace", "default"}, {"labels", {{api::kLabelVersion, "7"}}}}}, {"status", status}};
  pod["metadata"].update(metadata);
  return podState(kube::Object(std::move(pod)));
}

Json waiting(const std::string& reason) {
  return {{"state", {{"waiting", {{"reason", reason}, {"message", "because"}}}}}};
}

TEST(PodState, IsReadyByItsCondition) {
  EXPECT_TRUE(read({{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}).ready);
  EXPECT_FALSE(read({{"conditions", {{{"type", "Ready"}, {"status", "False"}}}}}).ready);
  EXPECT_FALSE(read(Json::object()).ready);
  EXPECT_EQ(read(Json::object()).version, 7);
}

TEST(PodState, KnowsThatItGoes) {
  EXPECT_TRUE(read(Json::object(), {{"deletionTimestamp", "2026-01-31T12:00:00Z"}}).deleting);
}

TEST(PodState, TellsTroubleFromAStart) {
  struct Case {
    Json status;
    const char* problem;
  };
  const Case cases[]{
      {{{"containerStatuses", {waiting("CrashLoopBackOff")}}}, "CrashLoopBackOff"},
      {{{"containerStatuses", {waiting("CreateContainerConfigError")}}}, "CreateContainerConfigError"},
      {{{"initContainerStatuses", {waiting("ImagePullBackOff")}}, {"containerStatuses", {waiting("PodInitializing")}}}, "ImagePullBackOff"},
      {{{"containerStatuses", {waiting("ContainerCreating")}}}, ""},
      {{{"containerStatuses", {{{"state", {{"running", Json::object()}}}}}}}, ""},
      {{{"containerStatuses", {Json::object()}}}, ""},
      {{{"conditions", {{{"type", "PodScheduled"}, {"status", "False"}, {"reason", "Unschedulable"}, {"message", "0/3 nodes"}}}}},
       "Unschedulable"},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(read(each.status).problem, each.problem) << each.status;
  }
  EXPECT_EQ(read(cases[0].status).problemMessage, "because");
}

TEST(DeploymentState, KnowsWhyNoPodIsMade) {
  const auto why = [](const char* status) {
    const Json condition{{"type", "ReplicaFailure"}, {"status", status}, {"reason", "FailedCreate"}, {"message", "exceeded quota: small"}};
    return deploymentState(kube::Object(Json{{"metadata", {{"name", "x"}}}, {"status", {{"conditions", Json::array({condition})}}}}))
        .cantMakePods;
  };
  EXPECT_EQ(why("True"), "exceeded quota: small");
  EXPECT_EQ(why("False"), "");
}

TEST(DeploymentState, AnAbsentCountIsOne) {
  EXPECT_EQ(deploymentState(kube::Object(Json{{"metadata", {{"name", "x"}}}, {"spec", Json::object()}})).replicas, 1);
  EXPECT_EQ(deploymentState(kube::Object(Json{{"metadata", {{"name", "x"}}}, {"spec", {{"replicas", 0}}}})).replicas, 0);
}

TEST(HasAll, IgnoresWhatOthersAddedAndNoticesWhatIsMissing) {
  const Json desired{{"a", 1}, {"list", {{{"name", "x"}}}}};
  EXPECT_TRUE(hasAll(desired, {{"a", 1}, {"list", {{{"name", "x"}, {"more", 2}}}}, {"b", 2}}));
  EXPECT_FALSE(hasAll(desired, {{"a", 2}, {"list", {{{"name", "x"}}}}}));
  EXPECT_FALSE(hasAll(desired, {{"a", 1}}));
  EXPECT_FALSE(hasAll(desired, {{"a", 1}, {"list", {{{"name", "x"}}, {{"name", "y"}}}}})) << "an item too many";
}

}  // namespace
}  // namespace pilotlight::op
