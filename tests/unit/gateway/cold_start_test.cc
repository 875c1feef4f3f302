// Where a cold start's time went, and what those get who wait for a replica that can't come.
#include <future>

#include "core/cold_start.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

class ColdStartTest : public GatewayTest {
 protected:
  ColdStartTest() {
    options_.accessLog = AccessLog::all;
    options_.troubleCheck = milliseconds(10);
  }
  void status(const std::string& pod, const Json& status) {
    ASSERT_TRUE(cluster_.mergePatch(kube::resources::pods, {"default", pod}, {{"status", status}}, "test", "status"));
  }
  /// The pod's only container.
  static Json container(const Json& state, const Json& lastState = Json::object()) {
    return {{"containerStatuses", Json::array({{{"name", "function"}, {"ready", false}, {"state", state}, {"lastState", lastState}}})}};
  }
  static Json waiting(const char* reason, const char* message) { return {{"waiting", {{"reason", reason}, {"message", message}}}}; }
  int phaseCount(const std::string& phase) {
    const std::string name = "pilotlight_gateway_cold_start_phase_seconds_count{phase=\"" + phase + "\"} ";
    const auto text = gateway_->metrics();
    const auto at = text.find(name);
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + name.size()));
  }
  /// At zero.
  std::future<Response> requestThatWaits() {
    deployment();
    apply(route());
    start();
    auto client = std::async(std::launch::async, [&] { return call(gateway_->address(), "/f"); });
    EXPECT_TRUE(eventually([&] { return load().queued == 1; }));
    return client;
  }
  Json logged() {
    Json request;
    EXPECT_TRUE(eventually([&] { return log().find("\"msg\":\"request\"") != std::string::npos; })) << log();
    std::istringstream lines(log());
    for (std::string line; std::getline(lines, line);)
      if (line.find("\"msg\":\"request\"") != std::string::npos) request = Json::parse(line);
    return request;
  }
};

TEST_F(ColdStartTest, EachPhaseIsInTheMetricsAndInTheLineOfTheRequestThatWaited) {
  deployment();
  apply(route());
  start();
  ServerFixture server;
  std::thread first([&] { EXPECT_EQ(call(gateway_->address(), "/f").status, 200); });
  ASSERT_TRUE(eventually([&] { return gateway_->metrics().find("pilotlight_gateway_wake_patches_total 1\n") != std::string::npos; }));
  const std::string uid = pod("p");
  const auto condition = [](const char* type) { return Json{{"type", type}, {"status", "True"}}; };
  status("p", {{"conditions", Json::array({condition("PodScheduled")})}});
  status("p", {{"conditions", Json::array({condition("PodScheduled"), condition("PodReadyToStartContainers")})}});
  pod("q", "g");  // who knows this one has heard of all that was before
  ASSERT_TRUE(eventually([&] { return gateway_->metrics().find("pilotlight_gateway_functions 2\n") != std::string::npos; }));
  const std::string body =
      Json{{"namespace", "default"}, {"pod", "p"}, {"uid", uid}, {"port", server.address.port}, {"begunUs", 2}, {"listeningUs", 1}}.dump();
  ASSERT_EQ(call(gateway_->internalAddress(), "/_pilotlight/register", "POST", "", body).status, 204);
  first.join();
  const Json request = logged();
  ASSERT_TRUE(request.contains("cold_start_ms")) << request;
  double sum = 0;
  for (const auto& [phase, ms] : request["cold_start_ms"].items()) {
    EXPECT_GE(ms.get<double>(), 0) << phase;
    sum += ms.get<double>();
  }
  EXPECT_TRUE(request["cold_start"].get<bool>());
  EXPECT_LE(sum, request["duration_ms"].get<double>() + 0.01);
  for (const char* phase : core::kColdStartPhases) {
    EXPECT_TRUE(request["cold_start_ms"].contains(phase)) << phase << " " << request;
    EXPECT_EQ(phaseCount(phase), 1) << phase;
  }
  EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
  EXPECT_EQ(phaseCount("first_byte"), 1) << "a warm request is no cold start";
}

TEST_F(ColdStartTest, ABadImageIsToldToWhoWaitsLongBeforeTheirTimeIsUp) {
  auto client = requestThatWaits();
  pod("p");
  status("p", container(waiting("ErrImagePull", "not found")));
  status("p", container(waiting("ImagePullBackOff", "Back-off pulling image \"example/none:1\"")));
  const Response response = client.get();
  EXPECT_EQ(response.status, 502);
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["reason"], "ImagePullBackOff");
  EXPECT_EQ(body["message"], "pod p: ImagePullBackOff: Back-off pulling image \"example/none:1\"");
}

TEST_F(ColdStartTest, ACrashLoopIsToldWithExitCodeAndLastWords) {
  auto client = requestThatWaits();
  pod("p");
  status("p", container(waiting("CrashLoopBackOff", "back-off 10s restarting failed container"),
                        {{"terminated", {{"exitCode", 3}, {"reason", "Error"}, {"message", "ValueError: no database, 数据库\n"}}}}));
  const Response response = client.get();
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(Json::parse(response.body)["message"],
            "pod p: CrashLoopBackOff: exit code 3: ValueError: no database, 数据库; back-off 10s restarting failed container");
}

TEST_F(ColdStartTest, WhatAHandlerSaidLastCanBeKeptFromCallers) {
  options_.tellPods = false;
  auto client = requestThatWaits();
  pod("p");
  status("p", container(waiting("CrashLoopBackOff", ""), {{"terminated", {{"exitCode", 3}, {"message", "password=hunter2"}}}}));
  const Response response = client.get();
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(Json::parse(response.body)["reason"], "CrashLoopBackOff");
  EXPECT_EQ(response.body.find("hunter2"), std::string::npos) << response.body;
}

TEST_F(ColdStartTest, AHandlerThatNeverListensIsToldWhenTheTimeIsUp) {
  auto impatient = route();
  impatient.spec.queue.wait = milliseconds(150);
  deployment();
  apply(impatient);
  start();
  pod("p");
  status("p", container({{"running", {{"startedAt", "2026-01-31T12:00:00Z"}}}}));
  const Response response = call(gateway_->address(), "/f");
  EXPECT_EQ(response.status, 504);
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["reason"], "NotListening");
  EXPECT_EQ(body["message"], "pod p runs, but its handler does not listen");
  EXPECT_EQ(body["limit"], "queue.wait");
}

TEST_F(ColdStartTest, APodThatMayNotBeMadeIsToldWhenTheTimeIsUp) {
  options_.wakeRetry = milliseconds(10);
  auto impatient = route();
  impatient.spec.queue.wait = seconds(2);
  deployment();
  const Json failure{{"type", "ReplicaFailure"}, {"status", "True"}, {"message", "exceeded quota: small"}};
  const Json status{{"status", {{"conditions", Json::array({failure})}}}};
  ASSERT_TRUE(cluster_.mergePatch(kube::resources::deployments, {"default", "f-00001"}, status, "test", "status"));
  apply(impatient);
  start();
  const Response response = call(gateway_->address(), "/f");
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(Json::parse(response.body)["reason"], "FailedCreate");
  EXPECT_EQ(Json::parse(response.body)["message"], "no pod can be made: exceeded quota: small");
}

TEST_F(ColdStartTest, OnePodOfTwoThatMayStillComeIsWaitedFor) {
  auto client = requestThatWaits();
  ServerFixture server;
  const std::string uid = pod("good");
  pod("bad");
  status("bad", container(waiting("CrashLoopBackOff", "")));
  EXPECT_EQ(client.wait_for(milliseconds(200)), std::future_status::timeout);
  ASSERT_EQ(callHome("good", uid, server.address.port), 204);
  EXPECT_EQ(client.get().status, 200);
}

TEST_F(ColdStartTest, PodsOfAVersionThatTakesNoTrafficAreNoReasonToGiveUp) {
  auto second = route();
  second.spec.queue.wait = milliseconds(300);
  second.spec.backends[0].version = 2;
  second.spec.backends[0].deployment = "f-00002";
  deployment("f-00002");
  apply(second);
  start();
  pod("p");  // of version 1
  status("p", container(waiting("CrashLoopBackOff", "")));
  EXPECT_EQ(call(gateway_->address(), "/f").status, 503);
}

TEST_F(ColdStartTest, WhatHealsIsWaitedFor) {
  auto impatient = route();
  impatient.spec.queue.wait = milliseconds(150);
  deployment();
  apply(impatient);
  start();
  pod("p");
  status("p", container(waiting("CreateContainerConfigError", "secret \"db\" not found")));
  const Response response = call(gateway_->address(), "/f");
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(Json::parse(response.body)["message"], "pod p: CreateContainerConfigError: secret \"db\" not found");
}

}  // namespace
}  // namespace pilotlight::gateway::test
