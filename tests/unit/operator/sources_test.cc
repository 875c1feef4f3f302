// Secrets and ConfigMaps that change, are missing, and appear.
#include <gmock/gmock.h>

#include "fixture.h"
#include "operator/mount_failures.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using testing::Json;

class Sources : public testing::OperatorTest {
 protected:
  Sources() { options_.sourceNamespaces = {"default"}; }

  kube::Client& client() { return cluster_; }
  void put(const kube::Resource& resource, const std::string& name, const std::string& value) {
    const Json object{{"apiVersion", "v1"},
                      {"kind", resource.kind},
                      {"metadata", {{"name", name}, {"namespace", "default"}}},
                      {"data", {{"KEY", value}}}};
    ASSERT_TRUE(client().apply(resource, object, {.fieldManager = "test", .force = true}));
  }
  std::string annotation() {
    return get(resources::deployments, "hello-00001").stringAt("/spec/template/metadata/annotations/pilotlight.dev~1env-sources");
  }
  std::string revisionOf(const kube::Resource& resource, const std::string& name) {
    const auto object = get(resource, name);
    return object.uid() + "/" + object.resourceVersion();
  }
};

const Json kVariables{{"secrets", {{{"name", "db"}, {"env", true}}}}, {"config", {{{"name", "flags"}, {"env", true}}}}};

TEST_F(Sources, AChangeOfVariablesReplacesTheReplicas) {
  put(resources::secrets, "db", "MQ==");
  put(resources::configMaps, "flags", "1");
  startOperator();
  applyFunction("hello", kVariables);
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  for (const auto& [resource, name] : {std::pair{resources::secrets, "db"}, std::pair{resources::configMaps, "flags"}}) {
    const std::string before = annotation();
    put(resource, name, "Mg==");
    EXPECT_TRUE(eventually([&] { return annotation() != before && annotation().find(revisionOf(resource, name)) != std::string::npos; }))
        << annotation();
  }
  EXPECT_EQ(condition("hello", "SourcesWatched")["status"], "True");
  EXPECT_FALSE(get(resources::functionVersions, "hello-00002")) << "what runs is the same";
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("SourceChanged"); }));
}

TEST_F(Sources, ARestartOfTheOperatorReplacesNothing) {
  put(resources::secrets, "db", "MQ==");
  put(resources::configMaps, "flags", "1");
  startOperator();
  applyFunction("hello", kVariables);
  ASSERT_TRUE(eventually([&] { return isReady("hello") && !annotation().empty(); }));
  const std::string before = annotation();
  stopOperator();
  options_.sourceNamespaces.clear();  // and a lost right neither
  startOperator();
  Json changed = kVariables;
  changed["scale"] = {{"max", 7}};
  applyFunction("hello", changed);
  ASSERT_TRUE(eventually([&] { return condition("hello", "SourcesWatched")["reason"] == "NotWatched"; }));
  EXPECT_EQ(annotation(), before);
}

TEST_F(Sources, AMissingOneIsNamedAndHealsWhenItAppears) {
  startOperator();
  applyFunction("hello", {{"secrets", {{{"name", "db"}, {"path", "/db"}}}}, {"scale", {{"initial", 0}}}});
  ASSERT_TRUE(eventually([&] { return condition("hello", "Progressing")["reason"] == "SecretNotFound"; }));
  EXPECT_THAT(condition("hello", "Progressing")["message"].get<std::string>(), ::testing::HasSubstr("Secret db"));
  put(resources::secrets, "db", "MQ==");
  EXPECT_TRUE(eventually([&] { return condition("hello", "Progressing")["status"] == "True"; }));
  ASSERT_TRUE(client().remove(resources::secrets, {"default", "db"}, {}));
  EXPECT_TRUE(eventually([&] { return condition("hello", "Progressing")["reason"] == "SecretNotFound"; }));
}

TEST_F(Sources, OfOtherNamespacesNothingIsKnown) {
  options_.sourceNamespaces = {"elsewhere"};
  put(resources::secrets, "db", "MQ==");
  put(resources::configMaps, "flags", "1");
  startOperator();
  applyFunction("hello", kVariables);
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  EXPECT_EQ(condition("hello", "SourcesWatched")["reason"], "NotWatched");
  EXPECT_EQ(annotation(), "");
}

TEST_F(Sources, WithoutTheRightAKubeletsEventNamesWhatIsMissing) {
  options_.sourceNamespaces.clear();
  node_.reset();  // the test is the kubelet
  startOperator();
  applyFunction("hello", {{"secrets", {{{"name", "db"}, {"path", "/db"}}}}});
  ASSERT_TRUE(eventually([&] { return static_cast<bool>(get(resources::deployments, "hello-00001")); }));
  Json pod{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", "p"}, {"namespace", "default"}}}, {"spec", Json::object()}};
  pod["metadata"]["labels"] = *get(resources::deployments, "hello-00001").at("/spec/template/metadata/labels");
  const auto made = client().create(resources::pods, pod, "node");
  ASSERT_TRUE(made);
  const Json waiting{{"name", "function"}, {"state", {{"waiting", {{"reason", "ContainerCreating"}}}}}};
  const auto report = [&](const Json& container, const char* ready) {
    const Json conditions = Json::array({{{"type", "Ready"}, {"status", ready}}});
    const Json status{{"conditions", conditions}, {"containerStatuses", Json::array({container})}};
    ASSERT_TRUE(client().mergePatch(resources::pods, made->key(), {{"status", status}}, "node", "status"));
  };
  report(waiting, "False");
  const Json event{{"apiVersion", "v1"},
                   {"kind", "Event"},
                   {"metadata", {{"name", "p.1"}, {"namespace", "default"}}},
                   {"involvedObject", {{"kind", "Pod"}, {"namespace", "default"}, {"name", "p"}, {"uid", made->uid()}}},
                   {"reason", "FailedMount"},
                   {"message", R"(MountVolume.SetUp failed for volume "secret-0" : secret "db" not found)"}};
  ASSERT_TRUE(client().create(resources::events, event, "node"));
  ASSERT_TRUE(eventually([&] { return condition("hello", "Progressing")["reason"] == "SecretNotFound"; }));
  report({{"name", "function"}, {"state", {{"running", Json::object()}}}}, "True");
  EXPECT_TRUE(eventually([&] { return condition("hello", "Progressing")["status"] == "True"; })) << "though the Event is still there";
}

TEST_F(Sources, TheCauseOutlivesTheKubeletsSummaryAndGoesWithItsEvents) {
  std::atomic<int> told = 0;
  MountFailures failures(cluster_, "", [&told](const kube::Key&) { ++told; });
  failures.start();
  const auto event = [this](const std::string& name, const std::string& pod, const std::string& message) {
    const Json object{{"apiVersion", "v1"},
                      {"kind", "Event"},
                      {"metadata", {{"name", name}, {"namespace", "default"}}},
                      {"involvedObject", {{"kind", "Pod"}, {"namespace", "default"}, {"name", pod}, {"uid", "uid-" + pod}}},
                      {"reason", "FailedMount"},
                      {"message", message}};
    ASSERT_TRUE(client().create(resources::events, object, "node"));
  };
  event("a", "p", "the cause");
  event("b", "p", "Unable to attach or mount volumes: unmounted volumes=[secret-0]: context deadline exceeded");
  event("c", "q", "Unable to attach or mount volumes: unmounted volumes=[secret-1]: context deadline exceeded");
  ASSERT_TRUE(eventually([&] { return !failures.of("uid-q").empty() && told == 2; })) << told;
  EXPECT_EQ(failures.of("uid-p"), "the cause");
  ASSERT_TRUE(client().remove(resources::events, {"default", "a"}, {}));
  EXPECT_TRUE(eventually([&] { return failures.of("uid-p").empty(); }));
  failures.stop();
}

}  // namespace
}  // namespace pilotlight::op
