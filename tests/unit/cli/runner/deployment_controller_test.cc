#include "cli/local/deployment_controller.h"

#include "harness.h"

namespace pilotlight::local {
namespace {

using testing::eventually;
using testing::Json;
using testing::Key;
using testing::Object;

Json podNamed(const std::string& name, bool ready, const std::string& cost, const std::string& created) {
  return {{"metadata",
           {{"name", name}, {"creationTimestamp", created}, {"annotations", {{"controller.kubernetes.io/pod-deletion-cost", cost}}}}},
          {"status", {{"conditions", Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}})}}}};
}

TEST(SortForDeletion, NotReadyThenCheapThenYoung) {
  const std::string early = "2026-01-31T12:00:00Z", late = "2026-01-31T12:00:05Z";
  std::vector<Object> pods;
  for (const Json& pod : {podNamed("old", true, "0", early), podNamed("young", true, "0", late), podNamed("dear", true, "10", late),
                          podNamed("cheap", true, "-5", early), podNamed("starting", false, "100", early)})
    pods.emplace_back(pod);
  sortForDeletion(pods);
  std::vector<std::string> names;
  for (const Object& pod : pods) names.push_back(pod.name());
  EXPECT_EQ(names, (std::vector<std::string>{"starting", "cheap", "young", "old", "dear"}));
}

/// The kubelet is the test itself: it says which Pods are ready, and ends those that are deleted.
class DeploymentControllerTest : public ::testing::Test {
 protected:
  DeploymentControllerTest() {
    const auto started = controller_.start();
    EXPECT_TRUE(started) << started.error();
  }
  ~DeploymentControllerTest() override {
    controller_.stop();
    cluster_.shutdown();
  }

  void createDeployment(const Json& replicas, const std::string& image = "one") {
    Json object = {
        {"apiVersion", "apps/v1"},
        {"kind", "Deployment"},
        {"metadata", {{"name", "web"}, {"namespace", "default"}}},
        {"spec",
         {{"selector", {{"matchLabels", {{"app", "web"}}}}},
          {"template",
           {{"metadata", {{"labels", {{"app", "web"}, {"pilotlight.dev/function", "web"}}}, {"annotations", {{"note", "kept"}}}}},
            {"spec", {{"containers", Json::array({{{"name", "function"}, {"image", image}}})}}}}}}}};
    if (!replicas.is_null()) object["spec"]["replicas"] = replicas;
    const auto created = cluster_.create(kube::resources::deployments, object, "test");
    ASSERT_TRUE(created) << created.error().message;
  }
  void scale(int replicas) { ASSERT_TRUE(cluster_.patchScale(kube::resources::deployments, key_, replicas, "", "test")); }
  Object deployment() { return cluster_.get(kube::resources::deployments, key_).value_or(Object()); }
  std::int64_t statusOf(const std::string& field) {
    const Object object = deployment();
    return object ? object.intAt("/status/" + field, -1) : -1;
  }
  std::vector<Object> pods() {
    std::vector<Object> out;
    for (Object& pod : cluster_.list(kube::resources::pods, {}).value().items)
      if (!pod.deleting()) out.push_back(std::move(pod));
    return out;
  }
  void setStatus(const Object& pod, const Json& status) {
    ASSERT_TRUE(cluster_.mergePatch(kube::resources::pods, pod.key(), {{"status", status}}, "kubelet", "status"));
  }
  void setReady(const Object& pod) {
    setStatus(pod, {{"phase", "Running"}, {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}});
  }
  void setAllReady() {
    for (const Object& pod : pods()) setReady(pod);
  }
  bool settledAt(std::size_t count) {
    return eventually([&] { return pods().size() == count && statusOf("replicas") == static_cast<std::int64_t>(count); });
  }

  const Key key_{"default", "web"};
  kube::MemoryCluster cluster_;
  DeploymentController controller_{cluster_};
};

TEST_F(DeploymentControllerTest, MakesPodsFromTheTemplate) {
  createDeployment(2);
  ASSERT_TRUE(settledAt(2));
  const Object pod = pods().front(), owner = deployment();
  EXPECT_EQ(pod.name().size(), std::string("web-").size() + 5);
  EXPECT_TRUE(pod.name().starts_with("web-"));
  EXPECT_EQ(pod.label("pilotlight.dev/function"), "web");
  EXPECT_EQ(pod.annotation("note"), "kept");
  EXPECT_EQ(pod.stringAt("/spec/containers/0/image"), "one");
  EXPECT_EQ(pod.stringAt("/metadata/ownerReferences/0/uid"), owner.uid());
  EXPECT_EQ(pod.stringAt("/metadata/ownerReferences/0/kind"), "Deployment");
  EXPECT_FALSE(pod.label(kLabelTemplateHash).empty());
}

TEST_F(DeploymentControllerTest, AbsentReplicasMeanOneAndZeroMeansNone) {
  createDeployment(Json());
  ASSERT_TRUE(settledAt(1));
  scale(0);
  ASSERT_TRUE(eventually([&] { return pods().empty() && statusOf("replicas") == 0; }));
}

TEST_F(DeploymentControllerTest, StatusCountsReadyPodsOfTheObservedGeneration) {
  createDeployment(3);
  ASSERT_TRUE(settledAt(3));
  EXPECT_EQ(statusOf("readyReplicas"), 0);
  setReady(pods().front());
  ASSERT_TRUE(eventually([&] { return statusOf("readyReplicas") == 1 && statusOf("availableReplicas") == 1; }));
  scale(2);
  ASSERT_TRUE(settledAt(2));
  ASSERT_TRUE(eventually([&] { return statusOf("observedGeneration") == deployment().generation(); }));
  EXPECT_EQ(statusOf("readyReplicas"), 1);  // one that was not ready went
}

TEST_F(DeploymentControllerTest, ScaleDownSparesTheDear) {
  createDeployment(3);
  ASSERT_TRUE(settledAt(3));
  const std::string dear = pods().back().name();
  ASSERT_TRUE(cluster_.mergePatch(kube::resources::pods, {"default", dear},
                                  {{"metadata", {{"annotations", {{"controller.kubernetes.io/pod-deletion-cost", "100"}}}}}}, "test", ""));
  setAllReady();
  ASSERT_TRUE(eventually([&] { return statusOf("readyReplicas") == 3; }));
  scale(1);
  ASSERT_TRUE(settledAt(1));
  EXPECT_EQ(pods().front().name(), dear);
}

TEST_F(DeploymentControllerTest, DeletesGracefully) {
  createDeployment(1);
  ASSERT_TRUE(settledAt(1));
  const Key pod = pods().front().key();
  scale(0);
  ASSERT_TRUE(eventually([&] { return cluster_.get(kube::resources::pods, pod).value_or(Object(Json::object())).deleting(); }));
}

TEST_F(DeploymentControllerTest, ReplacesPodsThatAreGoneOrFailed) {
  createDeployment(2);
  ASSERT_TRUE(settledAt(2));
  const auto before = pods();
  const Key gone = before.front().key(), failed = before.back().key();
  ASSERT_TRUE(cluster_.remove(kube::resources::pods, gone, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 0}));
  setStatus(before.back(), {{"phase", "Failed"}});
  EXPECT_TRUE(eventually([&] {
    const auto present = pods();
    return present.size() == 2 &&
           std::ranges::none_of(present, [&](const Object& pod) { return pod.key() == gone || pod.key() == failed; });
  }));
}

TEST_F(DeploymentControllerTest, LeavesForeignPodsAlone) {
  const Json foreign = {{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"metadata", {{"name", "foreign"}, {"namespace", "default"}, {"labels", {{"app", "web"}}}}},
                        {"spec", {{"containers", Json::array()}}}};
  ASSERT_TRUE(cluster_.create(kube::resources::pods, foreign, "test"));
  createDeployment(1);
  ASSERT_TRUE(eventually([&] { return pods().size() == 2; }));
  scale(0);
  ASSERT_TRUE(eventually([&] { return pods().size() == 1; }));
  EXPECT_EQ(pods().front().name(), "foreign");
}

TEST_F(DeploymentControllerTest, ANewTemplateComesUpBeforeTheOldGoes) {
  createDeployment(2);
  ASSERT_TRUE(settledAt(2));
  setAllReady();
  ASSERT_TRUE(eventually([&] { return statusOf("readyReplicas") == 2; }));
  const std::string oldHash = pods().front().label(kLabelTemplateHash);
  const Json containers = Json::array({{{"name", "function"}, {"image", "two"}}});
  ASSERT_TRUE(cluster_.mergePatch(kube::resources::deployments, key_, {{"spec", {{"template", {{"spec", {{"containers", containers}}}}}}}},
                                  "test", ""));
  ASSERT_TRUE(settledAt(4));
  EXPECT_EQ(statusOf("updatedReplicas"), 2);
  std::vector<Object> fresh;
  for (const Object& pod : pods())
    if (pod.label(kLabelTemplateHash) != oldHash) fresh.push_back(pod);
  ASSERT_EQ(fresh.size(), 2U);
  EXPECT_EQ(fresh[0].stringAt("/spec/containers/0/image"), "two");
  setReady(fresh[0]);
  ASSERT_TRUE(settledAt(3));
  setReady(fresh[1]);
  ASSERT_TRUE(settledAt(2));
  for (const Object& pod : pods()) EXPECT_NE(pod.label(kLabelTemplateHash), oldHash);
}

TEST_F(DeploymentControllerTest, DeletingTheDeploymentDeletesItsPods) {
  createDeployment(2);
  ASSERT_TRUE(settledAt(2));
  ASSERT_TRUE(cluster_.remove(kube::resources::deployments, key_, {}));
  EXPECT_TRUE(eventually([&] { return pods().empty(); }));
}

}  // namespace
}  // namespace pilotlight::local
