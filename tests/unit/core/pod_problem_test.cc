// Pods as a kubelet of Kubernetes 1.34 writes them, shortened where nothing is read.
#include "core/pod_problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pilotlight::core {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

Json podWith(const char* containerStatus, const char* ready = "False", const char* initStatus = nullptr) {
  Json pod = Json::parse(R"({"metadata":{"name":"hello-00001-5d9c-x7k2p"},"status":{"phase":"Pending","conditions":[
    {"type":"PodReadyToStartContainers","status":"True","lastTransitionTime":"2026-01-31T12:00:01Z"},
    {"type":"Initialized","status":"True"},{"type":"PodScheduled","status":"True"}]}})");
  pod["status"]["conditions"].push_back({{"type", "Ready"}, {"status", ready}, {"reason", "ContainersNotReady"}});
  if (containerStatus) pod["status"]["containerStatuses"] = Json::array({Json::parse(containerStatus)});
  if (initStatus) pod["status"]["initContainerStatuses"] = Json::array({Json::parse(initStatus)});
  return pod;
}

constexpr const char* kBadImage = R"({"name":"function","ready":false,"restartCount":0,"image":"example/none:1","state":{"waiting":{
  "reason":"ImagePullBackOff","message":"Back-off pulling image \"example/none:1\": ErrImagePull: failed to resolve reference: not found"}},"lastState":{}})";
constexpr const char* kCrashLoop = R"({"name":"function","ready":false,"restartCount":4,"state":{"waiting":{"reason":"CrashLoopBackOff",
  "message":"back-off 1m20s restarting failed container=function pod=hello_default"}},"lastState":{"terminated":{"exitCode":3,"reason":"Error",
  "message":"Traceback (most recent call last):\nValueError: no database\n","startedAt":"2026-01-31T12:00:01Z","finishedAt":"2026-01-31T12:00:02Z"}}})";
constexpr const char* kRunning =
    R"({"name":"function","ready":false,"started":true,"state":{"running":{"startedAt":"2026-01-31T12:00:01Z"}},"lastState":{}})";
constexpr const char* kJustEnded =
    R"({"name":"function","ready":false,"state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}},"lastState":{}})";
constexpr const char* kStarting = R"({"name":"function","ready":false,"state":{"waiting":{"reason":"PodInitializing"}},"lastState":{}})";
constexpr const char* kCopied = R"({"name":"shim","ready":true,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}})";

TEST(PodProblem, ABadImageIsNamedWithWhatTheRegistrySaid) {
  const PodProblem problem = podProblem(podWith(kBadImage));
  EXPECT_EQ(problem.reason, "ImagePullBackOff");
  EXPECT_THAT(problem.message, HasSubstr("example/none:1"));
  EXPECT_TRUE(problem.backedOff);
}

TEST(PodProblem, ACrashLoopTellsTheExitCodeAndTheLastWords) {
  const PodProblem problem = podProblem(podWith(kCrashLoop));
  EXPECT_EQ(problem.reason, "CrashLoopBackOff");
  EXPECT_THAT(problem.message, testing::StartsWith("exit code 3: Traceback"));
  EXPECT_THAT(problem.message, HasSubstr("ValueError: no database"));
  EXPECT_THAT(problem.message, HasSubstr("back-off 1m20s"));
  EXPECT_TRUE(problem.backedOff);
}

TEST(PodProblem, AFirstEndIsTriedAgainAtOnce) {
  const PodProblem problem = podProblem(podWith(kJustEnded));
  EXPECT_EQ(problem.reason, "Error");
  EXPECT_EQ(problem.message, "exit code 137, OOMKilled");
  EXPECT_FALSE(problem.backedOff);
}

TEST(PodProblem, OneThatStartsOrServesHasNone) {
  EXPECT_FALSE(podProblem(podWith(kStarting, "False", kCopied)));
  EXPECT_FALSE(podProblem(podWith(nullptr)));
  EXPECT_FALSE(podProblem(podWith(kRunning)));
  EXPECT_FALSE(podProblem(podWith(kCrashLoop, "True"))) << "another container's, maybe: it is ready";
}

TEST(PodProblem, TheCopyingOfTheShimMayFailToo) {
  EXPECT_EQ(podProblem(podWith(kStarting, "False", kBadImage)).reason, "ImagePullBackOff");
}

TEST(PodProblem, WhatHealsWhenAnObjectAppearsIsWorthWaitingFor) {
  const PodProblem problem = podProblem(
      podWith(R"({"name":"function","state":{"waiting":{"reason":"CreateContainerConfigError","message":"secret \"db\" not found"}}})"));
  EXPECT_EQ(problem.reason, "CreateContainerConfigError");
  EXPECT_EQ(problem.message, "secret \"db\" not found");
  EXPECT_FALSE(problem.backedOff);
}

TEST(PodProblem, ANodeIsMissing) {
  const Json pod =
      Json::parse(R"({"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable",
    "message":"0/1 nodes are available: 1 Insufficient memory."}]}})");
  EXPECT_EQ(podProblem(pod).reason, "Unschedulable");
  EXPECT_FALSE(podProblem(pod).backedOff);
}

TEST(PodProblem, KeepsTheEndOfWhatWasSaidAndWholeCharacters) {
  Json status = Json::parse(kCrashLoop);
  std::string said;
  for (int i = 0; i < 1000; ++i) said += "é";
  status["lastState"]["terminated"]["message"] = said + "the end";
  const std::string message = podProblem(podWith(status.dump().c_str())).message;
  EXPECT_LE(message.size(), kProblemBytes + 64);
  EXPECT_THAT(message, HasSubstr("éthe end"));
  EXPECT_NO_THROW(static_cast<void>(Json(message).dump())) << "valid UTF-8";
}

TEST(PodProblem, TakesAnyJson) {
  for (const char* text :
       {"null", "[]", "{}", R"({"status":7})", R"({"status":{"containerStatuses":[1,{"state":"x"}],"conditions":[null]}})"})
    EXPECT_FALSE(podProblem(Json::parse(text))) << text;
}

TEST(RunsUnready, IsAContainerThatRunsInAPodThatIsNotReady) {
  EXPECT_TRUE(runsUnready(podWith(kRunning)));
  EXPECT_FALSE(runsUnready(podWith(kRunning, "True")));
  EXPECT_FALSE(runsUnready(podWith(kStarting)));
  EXPECT_FALSE(runsUnready(podWith(kCrashLoop)));
}

}  // namespace
}  // namespace pilotlight::core
