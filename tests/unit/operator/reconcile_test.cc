#include <gmock/gmock.h>

#include "callhome/signature.h"
#include "core/render.h"
#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Json;
using testing::milliseconds;
using ::testing::Not;

class Reconcile : public testing::OperatorTest {};

Json initial(int replicas) {
  return {{"scale", {{"initial", replicas}}}};
}

TEST_F(Reconcile, AnAppliedFunctionGetsEverythingItNeedsAndIsReady) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  EXPECT_EQ(spec(resources::functionVersions, "hello-00001")["number"], 1);
  EXPECT_EQ(serving("hello"), 1);
  EXPECT_EQ(replicas("hello-00001"), 1);
  EXPECT_TRUE(get(resources::services, "hello"));
  EXPECT_TRUE(get(resources::serviceAccounts, "pilotlight-hello"));
  EXPECT_EQ(get(resources::functions, "hello").stringAt("/status/url"), "http://127.0.0.1:8080/hello");
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("VersionCreated"); }));
}

TEST_F(Reconcile, ReplicasAreNotTheOperatorsField) {
  startOperator();
  applyFunction("hello", initial(0));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  const auto deployment = get(resources::deployments, "hello-00001");
  EXPECT_EQ(deployment.intAt("/spec/replicas", 1), 0);
  EXPECT_EQ(deployment.stringAt("/spec/template/spec/containers/0/command/0"), "/pilotlight/pilotlight-shim");
  const Json other{{"apiVersion", "apps/v1"},
                   {"kind", "Deployment"},
                   {"metadata", {{"name", "hello-00001"}, {"namespace", "default"}}},
                   {"spec", {{"replicas", 5}}}};
  const auto refused = cluster_.apply(resources::deployments, other, {.fieldManager = "someone", .dryRun = true});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("pilotlight-autoscaler"), Not(HasSubstr("pilotlight-operator"))));
}

TEST_F(Reconcile, ObjectsAreMadeByOneWriteEach) {
  startOperator();
  applyFunction("hello", initial(0));
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  EXPECT_EQ(get(resources::deployments, "hello-00001").generation(), 1) << "another template would have meant another ReplicaSet";
  EXPECT_EQ(get(resources::functionRoutes, "hello").generation(), 1);
}

TEST_F(Reconcile, WhatIsNoLongerRenderedGoesFromADeploymentAndOthersAdditionsStay) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  stopOperator();
  const Json theirs{{"metadata", {{"annotations", {{"example.com/theirs", "kept"}}}}}};
  const Json ours{{"metadata", {{"annotations", {{core::kAnnotationRendered, "of an earlier release"}}}}},
                  {"spec", {{"template", {{"spec", {{"priority", 7}}}}}}}};
  ASSERT_TRUE(cluster_.mergePatch(resources::deployments, {"default", "hello-00001"}, theirs, "someone", ""));
  ASSERT_TRUE(cluster_.mergePatch(resources::deployments, {"default", "hello-00001"}, ours, api::kManagerOperator, ""));
  startOperator();
  EXPECT_TRUE(eventually([&] { return get(resources::deployments, "hello-00001").at("/spec/template/spec/priority") == nullptr; }));
  EXPECT_EQ(get(resources::deployments, "hello-00001").annotation("example.com/theirs"), "kept");
  EXPECT_EQ(replicas("hello-00001"), 1);
}

TEST_F(Reconcile, GoesQuietOnceDone) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  const auto passes = [&] {
    const std::string text = operator_->metrics();
    const auto at = text.find("reconcile_total{result=\"success\"} ");
    return at == std::string::npos ? std::string() : text.substr(at, text.find('\n', at) - at);
  };
  std::string before;
  ASSERT_TRUE(eventually([&] {  // two looks, a quarter of a second apart, see the same
    before = passes();
    const auto until = std::chrono::steady_clock::now() + milliseconds(250);
    while (std::chrono::steady_clock::now() < until) {
      if (passes() != before) {
        return false;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
  }));
}

TEST_F(Reconcile, AChangeUnderLoadShiftsOnlyWhenTheNewVersionIsUpAndThenPutsTheOldOneOut) {
  startOperator();
  applyFunction("hello", {{"scale", {{"min", 2}, {"initial", 2}}}});
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  applyFunction("hello", {{"image", "two"}, {"scale", {{"min", 2}, {"initial", 2}}}});
  ASSERT_TRUE(eventually([&] { return serving("hello") == 2 || replicas("hello-00001") == 2; }));
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(serving("hello") != 2 || replicas("hello-00002") == 2);
    return serving("hello") == 2;
  }));
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 0; }));
  EXPECT_EQ(replicas("hello-00002"), 2);
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("TrafficShifted"); }));
}

TEST_F(Reconcile, TheOldVersionStaysUpUntilTheGatewaysFollow) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  node_->acknowledgeRoutes(false);
  applyFunction("hello", {{"image", "two"}});
  ASSERT_TRUE(eventually([&] { return serving("hello") == 2 && condition("hello", "RouteReady")["reason"] == "WaitingForGateways"; }));
  EXPECT_EQ(replicas("hello-00001"), 1);
  node_->acknowledgeRoutes(true);
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 0; }));
}

TEST_F(Reconcile, GoingBackToEarlierContentReusesItsVersion) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  applyFunction("hello", {{"image", "two"}});
  ASSERT_TRUE(eventually([&] { return serving("hello") == 2 && replicas("hello-00001") == 0; }));
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return serving("hello") == 1 && replicas("hello-00002") == 0; }));
  EXPECT_FALSE(get(resources::functionVersions, "hello-00003"));
  EXPECT_EQ(replicas("hello-00001"), 1);
}

TEST_F(Reconcile, ACrashLoopShowsAndTheOldVersionServesOn) {
  startOperator();
  node_->crash("broken");
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  applyFunction("hello", {{"image", "broken"}});
  ASSERT_TRUE(eventually([&] { return condition("hello", "Progressing")["reason"] == "CrashLoopBackOff"; }));
  EXPECT_EQ(condition("hello", "Progressing")["status"], "False");
  EXPECT_THAT(condition("hello", "Progressing")["message"].get<std::string>(), HasSubstr("back-off 10s"));
  EXPECT_EQ(serving("hello"), 1);
  EXPECT_EQ(replicas("hello-00001"), 1);
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("CrashLoopBackOff"); }));
}

TEST_F(Reconcile, ANewKeyForShimsReachesAFunctionAtZeroAndReplacesNoPodThatRuns) {
  const auto key = [&] { return core::callHomeKeyOf(get(resources::deployments, "hello-00001").json()); };
  const auto observed = [&] {
    const auto function = get(resources::functions, "hello");
    return function.intAt("/status/observedGeneration") == function.generation();
  };
  options_.callHomeKey = std::string(32, 'a');
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  const std::string first = callhome::functionKey(std::string(32, 'a'), "default", "hello");
  EXPECT_EQ(key(), first);
  stopOperator();
  options_.callHomeKey = std::string(32, 'b');
  startOperator();
  applyFunction("hello", {{"scale", {{"max", 7}}}});
  ASSERT_TRUE(eventually(observed));
  EXPECT_EQ(key(), first) << "its replica runs";
  applyFunction("hello", {{"replicas", 0}});
  EXPECT_TRUE(eventually([&] { return key() == callhome::functionKey(std::string(32, 'b'), "default", "hello"); }));
}

TEST_F(Reconcile, TheNewerOfTwoThatClaimAHostSaysSoUntilTheOlderGoes) {
  startOperator();
  const Json claim{{"http", {{"hosts", {"a.example"}}, {"routes", {{{"path", "/x"}}}}}}};
  applyFunction("a-older", claim);
  ASSERT_TRUE(eventually([&] { return isReady("a-older"); }));
  applyFunction("b-newer", claim);
  ASSERT_TRUE(eventually([&] { return condition("b-newer", "RouteReady")["reason"] == "HostPathConflict"; }));
  EXPECT_THAT(condition("b-newer", "RouteReady")["message"].get<std::string>(), AllOf(HasSubstr("default/a-older"), HasSubstr("/x")));
  EXPECT_TRUE(isReady("a-older"));
  ASSERT_TRUE(cluster_.remove(resources::functions, {"default", "a-older"}, {}));
  EXPECT_TRUE(eventually([&] { return isReady("b-newer"); }));
}

TEST_F(Reconcile, ADeletedFunctionTakesWhatItOwnsWithIt) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  ASSERT_TRUE(cluster_.remove(resources::functions, {"default", "hello"}, {}));
  EXPECT_TRUE(eventually([&] {
    return !get(resources::deployments, "hello-00001") && !get(resources::functionVersions, "hello-00001") &&
           !get(resources::functionRoutes, "hello") && !get(resources::services, "hello") &&
           !get(resources::serviceAccounts, "pilotlight-hello");
  }));
  EXPECT_TRUE(eventually([&] { return operator_->metrics().find("function=\"hello\"") == std::string::npos; }));
}

TEST_F(Reconcile, AFunctionMadeAnewBeginsAnew) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  ASSERT_TRUE(cluster_.remove(resources::functions, {"default", "hello"}, {}));
  applyFunction("hello", {{"image", "two"}});
  EXPECT_TRUE(eventually([&] { return isReady("hello") && spec(resources::functionVersions, "hello-00001")["image"] == "two"; }));
}

TEST_F(Reconcile, WhatIsDeletedByHandComesBack) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  ASSERT_TRUE(cluster_.remove(resources::services, {"default", "hello"}, {}));
  ASSERT_TRUE(cluster_.remove(resources::deployments, {"default", "hello-00001"}, {}));
  ASSERT_TRUE(cluster_.remove(resources::functionRoutes, {"default", "hello"}, {}));
  EXPECT_TRUE(eventually([&] { return get(resources::services, "hello") && serving("hello") == 1 && replicas("hello-00001") == 0; }));
  EXPECT_TRUE(eventually([&] { return isReady("hello"); }));
}

TEST_F(Reconcile, AServiceOfTheUsersIsLeftAlone) {
  const Json service{{"apiVersion", "v1"},
                     {"kind", "Service"},
                     {"metadata", {{"name", "hello"}, {"namespace", "default"}}},
                     {"spec", {{"type", "ClusterIP"}}}};
  ASSERT_TRUE(cluster_.create(resources::services, service, "user"));
  startOperator();
  applyFunction("hello");
  EXPECT_TRUE(eventually([&] { return isReady("hello") && eventReasons("hello").contains("ServiceNameTaken"); }));
  EXPECT_EQ(spec(resources::services, "hello")["type"], "ClusterIP");
}

TEST_F(Reconcile, WhatIsRefusedIsToldAndHeals) {
  const Json deployment{{"apiVersion", "apps/v1"},
                        {"kind", "Deployment"},
                        {"metadata", {{"name", "hello-00001"}, {"namespace", "default"}}},
                        {"spec", {{"replicas", 0}}}};
  ASSERT_TRUE(cluster_.create(resources::deployments, deployment, "user"));
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return condition("hello", "Progressing")["reason"] == "NotApplied"; }));
  EXPECT_THAT(condition("hello", "Progressing")["message"].get<std::string>(), HasSubstr("hello-00001"));
  EXPECT_EQ(condition("hello", "Ready")["reason"], "NotApplied");
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("NotApplied"); }));
  EXPECT_EQ(spec(resources::deployments, "hello-00001"), (Json{{"replicas", 0}})) << "the user's is left alone";
  ASSERT_TRUE(cluster_.remove(resources::deployments, {"default", "hello-00001"}, {}));
  EXPECT_TRUE(eventually([&] { return isReady("hello") && condition("hello", "Progressing")["reason"] == "Complete"; }));
}

TEST_F(Reconcile, AFunctionThatCantBeReadSaysWhyAndServesOn) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  admitting_ = false;
  applyFunction("hello", {{"concurrency", {{"perReplica", -5}}}});
  ASSERT_TRUE(eventually([&] { return condition("hello", "Ready")["reason"] == "Invalid"; }));
  EXPECT_THAT(condition("hello", "Ready")["message"].get<std::string>(), HasSubstr("spec.concurrency.perReplica"));
  EXPECT_TRUE(eventually([&] { return eventReasons("hello").contains("Invalid"); }));
  EXPECT_EQ(serving("hello"), 1);
  EXPECT_EQ(get(resources::functions, "hello").intAt("/status/versions/stable"), 1) << "the rest of the status stays";
  applyFunction("hello", {{"concurrency", {{"perReplica", 80}}}});
  EXPECT_TRUE(eventually([&] { return isReady("hello"); }));
}

TEST_F(Reconcile, PinnedReplicasAreFollowed) {
  startOperator();
  applyFunction("hello", {{"replicas", 3}});
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 3; }));
  applyFunction("hello", {{"replicas", 0}});
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 0 && serving("hello") == 0; }));
  applyFunction("hello");
  EXPECT_TRUE(eventually([&] { return serving("hello") == 1 && isReady("hello"); }));
}

// The crash may come anywhere: the operator is ended at a point of an update that the test holds open, and a new one,
// which knows only what the cluster holds, finishes it.
TEST_F(Reconcile, ANewOperatorFinishesTheUpdateOfOneThatDied) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  node_->acknowledgeRoutes(false);
  applyFunction("hello", {{"image", "two"}});
  ASSERT_TRUE(eventually([&] { return serving("hello") == 2; }));
  stopOperator();
  EXPECT_EQ(replicas("hello-00001"), 1);
  node_->acknowledgeRoutes(true);
  startOperator();
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 0 && isReady("hello"); }));
  EXPECT_FALSE(get(resources::functionVersions, "hello-00003"));
}

TEST_F(Reconcile, AnUpdateWhileNoOperatorRunsIsTakenUp) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  stopOperator();
  applyFunction("hello", {{"image", "two"}});
  applyFunction("other");
  startOperator();
  EXPECT_TRUE(eventually([&] { return serving("hello") == 2 && isReady("other"); }));
}

TEST_F(Reconcile, ManyIdleFunctionsAreReadySoon) {
  node_.reset();  // its listing would be what is measured
  startOperator();
  for (int i = 0; i < 100; ++i) {
    applyFunction("fn-" + std::to_string(i), initial(0));
  }
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 100; ++i) {
      if (condition("fn-" + std::to_string(i), "Ready")["reason"] != "WaitingForGateways") {
        return false;
      }
    }
    return true;
  }));
}

TEST_F(Reconcile, StopsPromptlyAndTwice) {
  startOperator();
  applyFunction("hello");
  const auto began = std::chrono::steady_clock::now();
  operator_->stop();
  operator_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

TEST_F(Reconcile, LogsAreJsonLinesWithFields) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  operator_->stop();
  const std::scoped_lock lock(linesMutex_);
  bool scaled = false;
  for (const auto& line : lines_) {
    const Json entry = Json::parse(line, nullptr, false);
    ASSERT_TRUE(entry.is_object()) << line;
    EXPECT_TRUE(entry.contains("ts") && entry.contains("level") && entry.contains("msg")) << line;
    scaled |= entry["msg"] == "deployment scaled" && entry["function"] == "default/hello";
  }
  EXPECT_TRUE(scaled);
}

TEST_F(Reconcile, MetricsTellWhatItDoes) {
  startOperator();
  applyFunction("hello");
  ASSERT_TRUE(eventually([&] { return isReady("hello"); }));
  EXPECT_TRUE(eventually([&] {
    return operator_->metrics().find("pilotlight_operator_ready_replicas{function=\"hello\",namespace=\"default\"} 1") != std::string::npos;
  })) << operator_->metrics();
  const std::string text = operator_->metrics();
  for (const char* name : {"pilotlight_operator_reconcile_total{result=\"success\"}", "pilotlight_operator_reconcile_errors_total 0",
                           "pilotlight_operator_reconcile_duration_seconds_bucket", "pilotlight_operator_workqueue_depth",
                           "pilotlight_operator_desired_replicas", "pilotlight_operator_watch_restarts_total{resource=\"pods\"}"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

}  // namespace
}  // namespace pilotlight::op
