// A replica dies by SIGKILL: before it registers, while it holds requests, while idle. Never a hang.
#include <signal.h>

#include <algorithm>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class ReplicaDeath : public LocalTest {
 protected:
  void killReplicas(const std::string& name) {
    for (const Process& shim : local.shims(name)) kill(shim.pid, SIGKILL);
  }

  // Gateways give a function up whose pods have all backed off; here that is the second before the killed one starts again.
  void startPatiently(const std::string& name) {
    const auto config = local.scratch() / "config.yaml";
    writeFile(config, "gateway: {troubleCheck: 10s}\n");
    const auto started = local.start({"--config", config.string()});
    ASSERT_TRUE(started) << started.error();
    ASSERT_TRUE(local.waitUntilReady(name)) << local.function(name).dump(2);
  }

  // Sends it, and waits until the handler has it.
  std::future<HttpResult> hold(const std::string& name, const std::string& method, int milliseconds) {
    const std::size_t before = readLines(local.record(name)).size();
    auto answer = local.requestLater({.method = method, .target = "/" + name + "?ms=" + std::to_string(milliseconds), .timeout = 30s});
    EXPECT_TRUE(waitUntil([&] { return readLines(local.record(name)).size() > before; }, 15s));
    return answer;
  }

  std::size_t timesHandled(const std::string& name) { return readLines(local.record(name)).size(); }
};

const std::string kRetry = "  http: {retry: idempotent}\n";
const std::string kIdle = "  scale: {initial: 0}\n";

TEST_F(ReplicaDeath, BeforeItRegistersEveryRequestIsStillAnswered) {
  local.addRecorder("early", "    - {name: GATE_FILE, value: \"" + local.gate("early").string() + "\"}\n" + kIdle);
  ASSERT_NO_FATAL_FAILURE(startPatiently("early"));
  auto get = local.requestLater({.target = "/early"});
  auto post = local.requestLater({.method = "POST", .target = "/early"});
  ASSERT_TRUE(waitUntil([&] { return local.shims("early").size() == 1; }, 10s));
  killReplicas("early");
  writeFile(local.gate("early"), "");
  // Neither was sent to the one that died, so both may go to the next.
  EXPECT_EQ(status(get.get()), 200);
  EXPECT_EQ(status(post.get()), 200);
  EXPECT_EQ(timesHandled("early"), 2u);
}

TEST_F(ReplicaDeath, WhileItHoldsASafeRequestThatRequestIsSentAgain) {
  local.addRecorder("held", kRetry + kIdle);
  ASSERT_NO_FATAL_FAILURE(startPatiently("held"));
  auto get = hold("held", "GET", 2000);
  killReplicas("held");
  const HttpResult result = get.get();
  EXPECT_EQ(status(result), 200) << body(result);
  EXPECT_EQ(timesHandled("held"), 2u);
}

TEST_F(ReplicaDeath, WhileItHoldsAnUnsafeRequestThatOneGets502AtOnce) {
  local.addRecorder("unsafe", kRetry + kIdle);
  ASSERT_NO_FATAL_FAILURE(startWith({"unsafe"}));
  auto post = hold("unsafe", "POST", 20'000);
  const auto killed = std::chrono::steady_clock::now();
  killReplicas("unsafe");
  const HttpResult result = post.get();
  EXPECT_EQ(status(result), 502) << body(result);
  EXPECT_LT(std::chrono::steady_clock::now() - killed, 2s);
  EXPECT_EQ(timesHandled("unsafe"), 1u);
}

TEST_F(ReplicaDeath, WithoutPermissionToRetryASafeRequestGets502AtOnceToo) {
  local.addRecorder("never", kIdle);  // retry: never is the default
  ASSERT_NO_FATAL_FAILURE(startWith({"never"}));
  auto get = hold("never", "GET", 20'000);
  const auto killed = std::chrono::steady_clock::now();
  killReplicas("never");
  EXPECT_EQ(status(get.get()), 502);
  EXPECT_LT(std::chrono::steady_clock::now() - killed, 2s);
  EXPECT_EQ(timesHandled("never"), 1u);
}

TEST_F(ReplicaDeath, WhileIdleTheNextRequestIsAnswered) {
  local.addRecorder("idle", kRetry + kIdle);
  ASSERT_NO_FATAL_FAILURE(startPatiently("idle"));
  ASSERT_EQ(status(local.get("/idle")), 200);
  killReplicas("idle");
  const HttpResult get = local.get("/idle");
  EXPECT_EQ(status(get), 200) << body(get);
  ASSERT_TRUE(waitUntil([&] { return local.shims("idle").size() == 1; }, 10s));
  killReplicas("idle");
  // The connection may break under it after bytes were sent: then 502 is the honest answer. A hang never is.
  const auto begin = std::chrono::steady_clock::now();
  const HttpResult post = local.request({.method = "POST", .target = "/idle"});
  EXPECT_THAT(status(post), ::testing::AnyOf(200, 502)) << body(post);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(ReplicaDeath, AHandlerThatDiesBehindItsShimIsStartedAgainAndTheRestartShows) {
  local.addExample("py-echo");
  ASSERT_NO_FATAL_FAILURE(startWith({"py-echo"}));
  ASSERT_EQ(status(local.get("/py-echo")), 200);
  for (const Process& process : local.tree()) {
    if (process.command.find("server.py") != std::string::npos && process.command.find("pilotlight-shim") == std::string::npos) {
      kill(process.pid, SIGKILL);
    }
  }
  EXPECT_TRUE(waitUntil([&] { return status(local.get("/py-echo")) == 200; }, 15s)) << body(local.get("/py-echo"));
}

TEST_F(ReplicaDeath, TheRestartShowsInThePodsStatus) {
  local.addRecorder("counted", "  scale: {min: 1}\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"counted"}));
  killReplicas("counted");
  Outcome pods;
  const auto restarted = [&] {
    pods = local.cli({"get", "pods", "-o", "json"});
    const json list = json::parse(pods.out, nullptr, false);
    if (!list.is_object()) return false;
    for (const json& pod : list.value("items", json::array())) {
      if (pod.value("/status/containerStatuses/0/restartCount"_json_pointer, 0) > 0) return true;
    }
    return false;
  };
  EXPECT_TRUE(waitUntil(restarted, 15s)) << pods.all();
  EXPECT_EQ(status(local.get("/counted")), 200);
}

}  // namespace
}  // namespace pilotlight::test
