// scale.parked: replicas without a handler, lit by the request that needs one, parked again when idle.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class Parked : public LocalTest {
 protected:
  /// toZeroAfter: 3s where a test waits for the status to tell what was lit, which goes out then.
  void add(const std::string& example, const std::string& scale, const std::string& toZeroAfter = "1s") {
    local.addExample(example);
    std::string text = readFile(local.functions() / example / "function.yaml");
    text.replace(text.find("initial: 0"), 10, "initial: 0\n    toZeroAfter: " + toZeroAfter + "\n" + scale);
    local.addFile(example + "/function.yaml", text);
  }

  bool has(const std::string& name, int warm, int parked) {
    return local.waitUntilFunction(name, [&](const json& function) {
      const json status = function.value("status", json::object());
      return status.value("readyReplicas", 0) == warm && status.value("parkedReplicas", 0) == parked &&
             status.value("replicas", 0) == warm + parked;
    });
  }

  std::set<pid_t> shimsOf(const std::string& name) {
    std::set<pid_t> pids;
    for (const Process& shim : local.shims(name)) pids.insert(shim.pid);
    return pids;
  }

  /// What runs below the shims.
  std::vector<Process> handlersOf(const std::string& name) {
    std::vector<Process> all;
    for (const Process& shim : local.shims(name))
      for (const Process& child : descendants(shim.pid)) all.push_back(child);
    return all;
  }
};

class ParkedOfEachRuntime : public Parked, public ::testing::WithParamInterface<const char*> {};

TEST_P(ParkedOfEachRuntime, AnswersWithoutANewPodAndIsParkedAgain) {
  const std::string name = GetParam();
  add(name, "    parked: 1\n    max: 1\n", "3s");
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(has(name, 0, 1)) << local.function(name).dump(2);
  const auto before = shimsOf(name);
  ASSERT_THAT(before, SizeIs(1));
  EXPECT_TRUE(waitUntil([&] { return handlersOf(name).empty(); }, 20s));
  const HttpRequest request{.method = "POST", .target = "/" + name, .body = "1"};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(status(local.request(request)), 200);
    EXPECT_TRUE(has(name, 1, 0)) << local.function(name).dump(2);
    EXPECT_TRUE(has(name, 0, 1)) << "idle";
    EXPECT_TRUE(waitUntil([&] { return handlersOf(name).empty(); }, 20s)) << "a native host ends once its connections have";
  }
  EXPECT_EQ(shimsOf(name), before) << "one pod, all the time";
}

INSTANTIATE_TEST_SUITE_P(, ParkedOfEachRuntime, ::testing::Values("hello", "py-echo", "upper"), [](const auto& info) {
  std::string name = info.param;
  std::erase(name, '-');
  return name;
});

TEST_F(Parked, OneThatWasLitIsReplacedAndTheSurplusGoesWhenIdle) {
  add("hello", "    parked: 1\n    max: 3\n", "6s");
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(has("hello", 0, 1));
  const auto first = shimsOf("hello");
  EXPECT_EQ(status(local.get("/hello")), 200);
  EXPECT_TRUE(has("hello", 1, 1)) << local.function("hello").dump(2);
  const auto both = shimsOf("hello");
  EXPECT_TRUE(std::includes(both.begin(), both.end(), first.begin(), first.end())) << "the one that was lit serves";
  EXPECT_TRUE(has("hello", 0, 1)) << local.function("hello").dump(2);
  EXPECT_NE(shimsOf("hello"), first) << "the parked one stays, the one without work goes";
}

TEST_F(Parked, OnesAreBesideTheWarmMinimumAndTakeWhatThatCant) {
  local.addRecorder("record", "  concurrency: {perReplica: 1}\n  scale: {min: 1, parked: 1, max: 2, toZeroAfter: 1s}\n");
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(has("record", 1, 1)) << local.function("record").dump(2);
  const auto before = shimsOf("record");
  std::vector<std::future<HttpResult>> both;
  for (int i = 0; i < 2; ++i) both.push_back(local.requestLater({.target = "/record?ms=700"}));
  for (auto& each : both) EXPECT_EQ(status(each.get()), 200);
  EXPECT_EQ(shimsOf("record"), before) << "there is no room for more";
  EXPECT_TRUE(has("record", 1, 1)) << local.function("record").dump(2);
}

TEST_F(Parked, AShimThatIsKilledComesBackAndIsParkedAgain) {
  add("py-echo", "    parked: 1\n    max: 1\n");
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(has("py-echo", 0, 1));
  const auto before = shimsOf("py-echo");
  kill(*before.begin(), SIGKILL);
  ASSERT_TRUE(waitUntil([&] { return shimsOf("py-echo").size() == 1 && shimsOf("py-echo") != before; }, 20s));
  EXPECT_TRUE(has("py-echo", 0, 1)) << local.function("py-echo").dump(2);
  EXPECT_EQ(status(local.request({.method = "POST", .target = "/py-echo", .body = "1"})), 200);
}

TEST_F(Parked, ANewVersionThatCantStartTakesNoTraffic) {
  add("upper", "    parked: 1\n    max: 3\n");
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(has("upper", 0, 1));
  std::string text = readFile(local.functions() / "upper" / "function.yaml");
  text.replace(text.find("[tr,"), 4, "[no-such-program,");
  local.addFile("upper/function.yaml", text);
  ASSERT_TRUE(local.waitUntilFunction("upper",
                                      [](const json& function) { return function.value("/status/versions/latest"_json_pointer, 0) == 2; }));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(status(local.request({.method = "POST", .target = "/upper", .body = "x"})), 200);
  EXPECT_EQ(local.function("upper").value("/status/versions/stable"_json_pointer, 0), 1);
}

TEST_F(Parked, EndsWithTheInstanceInOrder) {
  add("hello", "    parked: 2\n    max: 2\n");
  add("py-echo", "    parked: 1\n    max: 1\n");
  ASSERT_NO_FATAL_FAILURE(start());
  ASSERT_TRUE(has("hello", 0, 2));
  ASSERT_TRUE(has("py-echo", 0, 1));
  EXPECT_EQ(local.stop(SIGTERM), 0);
}

// Requests come when a replica is about to be parked, is being parked, and has just been.
TEST_F(Parked, NothingIsLostAtTheEdge) {
  for (const char* name : {"hello", "py-echo", "upper"}) add(name, "    parked: 1\n    max: 2\n");
  ASSERT_NO_FATAL_FAILURE(start());
  for (const char* name : {"hello", "py-echo", "upper"}) ASSERT_TRUE(has(name, 0, 1)) << local.function(name).dump(2);
  std::vector<std::future<int>> clients;
  for (const char* name : {"hello", "py-echo", "upper"}) {
    clients.push_back(std::async(std::launch::async, [this, name] {
      std::mt19937 random(7);
      std::uniform_int_distribution<int> pause(700, 2200);
      int lost = 0;
      for (int i = 0; i < 12; ++i) {
        std::vector<std::future<HttpResult>> burst;
        for (int j = 0; j < 1 + i % 4 * 8; ++j)
          burst.push_back(local.requestLater({.method = "POST", .target = std::string("/") + name, .body = "1"}));
        for (auto& each : burst) lost += status(each.get()) == 200 ? 0 : 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(pause(random)));  // the load's own pattern
      }
      return lost;
    }));
  }
  for (auto& client : clients) EXPECT_EQ(client.get(), 0);
  const std::string metrics = local.metrics();
  for (const char* name : {"hello", "py-echo", "upper"}) {
    const std::string sample = "pilotlight_gateway_lights_total{namespace=\"default\",function=\"" + std::string(name) + "\"} ";
    const std::size_t at = metrics.find(sample);
    ASSERT_NE(at, std::string::npos) << metrics;
    EXPECT_GE(std::atoi(metrics.c_str() + at + sample.size()), 3) << name << ": it was parked in between";
  }
}

}  // namespace
}  // namespace pilotlight::test
