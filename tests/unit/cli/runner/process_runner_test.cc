// Pods as processes: start, address, environment, readiness, output, deletion.
#include <algorithm>
#include <set>

#include "harness.h"
#include "net/socket.h"

namespace pilotlight::local {
namespace {

using testing::eventually;
using testing::Json;
using testing::Object;
using testing::podRunning;
using testing::processLives;

class ProcessRunnerTest : public testing::RunnerTest {};

TEST_F(ProcessRunnerTest, RunsAPodAndWritesItsStatus) {
  startRunner();
  createPod(podRunning("p", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  const Object object = pod("p");
  EXPECT_EQ(object.stringAt("/status/phase"), "Running");
  EXPECT_TRUE(object.stringAt("/status/podIP").starts_with("127."));
  EXPECT_EQ(object.stringAt("/status/podIPs/0/ip"), object.stringAt("/status/podIP"));
  EXPECT_FALSE(object.stringAt("/status/startTime").empty());
  for (const char* type : {"PodScheduled", "Initialized", "ContainersReady", "Ready"})
    EXPECT_TRUE(testing::conditionIs(object, type, "True")) << type;
  EXPECT_EQ(object.stringAt("/status/containerStatuses/0/name"), "function");
  EXPECT_FALSE(object.stringAt("/status/containerStatuses/0/state/running/startedAt").empty());
  EXPECT_EQ(restarts("p"), 0);
  EXPECT_EQ(runner->running(), 1);
}

TEST_F(ProcessRunnerTest, RunsPodsThatWereThereBefore) {
  createPod(podRunning("p", "echo ready >&3; exec sleep 1000"));
  startRunner();
  EXPECT_TRUE(eventually([&] { return ready("p"); }));
}

TEST_F(ProcessRunnerTest, ReadinessFollowsThePipeAndOnlyIt) {
  startRunner();
  const std::string gate = dir.path / "gate";
  createPod(podRunning(
      "p", "echo nonsense >&3; echo ready >&3; while [ ! -e " + gate + " ]; do sleep 0.01; done; echo unready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  std::ofstream(gate) << "";
  ASSERT_TRUE(eventually([&] { return !ready("p"); }));
  EXPECT_EQ(pod("p").stringAt("/status/phase"), "Running");
}

TEST_F(ProcessRunnerTest, EachPodHasAnAddressOfItsOwn) {
  startRunner();
  std::set<std::string> addresses;
  for (int i = 0; i < 5; ++i) createPod(podRunning("p" + std::to_string(i), "echo ready >&3; exec sleep 1000"));
  for (int i = 0; i < 5; ++i) {
    const std::string name = "p" + std::to_string(i);
    ASSERT_TRUE(eventually([&] { return ready(name); }));
    addresses.insert(pod(name).stringAt("/status/podIP"));
  }
  EXPECT_EQ(addresses.size(), 5U);
  EXPECT_EQ(runner->running(), 5);
}

TEST_F(ProcessRunnerTest, GivesTheProcessWhatTheContractSaysAndNothingElse) {
  setenv("RUNNER_TEST_LEAK", "1", 1);
  options.gateways = "127.0.0.1:8081";
  options.nativeHostPath = "/opt/native-host";
  startRunner();
  Json object = podRunning("p", "env; echo pwd=$(pwd); echo ready >&3; exec sleep 1000");
  object["metadata"]["annotations"]["local.pilotlight.dev/workdir"] = "/usr";
  object["spec"]["containers"][0]["command"] = {"/not/run/locally"};
  object["spec"]["containers"][0]["env"] =
      Json::array({{{"name", "PILOTLIGHT_RUNTIME"}, {"value", "http"}},
                   {{"name", "PILOTLIGHT_GATEWAYS"}, {"value", ""}},
                   {{"name", "PILOTLIGHT_POD_UID"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.uid"}}}}}}});
  const Object created = createPod(object);
  ASSERT_TRUE(eventually([&] { return ready("p") && logged("pwd=/usr"); }));
  unsetenv("RUNNER_TEST_LEAK");
  const std::string address = pod("p").stringAt("/status/podIP");
  for (const std::string& line :
       {"PILOTLIGHT_LISTEN=" + address + ":8012", "PILOTLIGHT_PARENT_PID=" + std::to_string(getpid()), std::string("PILOTLIGHT_READY_FD=3"),
        "PILOTLIGHT_MOUNT_ROOT=" + (folderOf(created) / "root").string(), std::string("PILOTLIGHT_GATEWAYS=127.0.0.1:8081"),
        std::string("PILOTLIGHT_NATIVE_HOST=/opt/native-host"), "PILOTLIGHT_POD_UID=" + created.uid()})
    EXPECT_TRUE(logged(line)) << line;
  std::set<std::string> names;
  for (const std::string& line : lines()) names.insert(line.substr(0, line.find('=')));
  EXPECT_FALSE(names.contains("RUNNER_TEST_LEAK"));
  EXPECT_TRUE(names.contains("PORT"));
  EXPECT_TRUE(names.contains("PATH"));
}

TEST_F(ProcessRunnerTest, ThePodsOwnPortAndGatewaysStay) {
  options.gateways = "127.0.0.1:8081";
  startRunner();
  Json object = podRunning("p", "echo port=$PORT gateways=$PILOTLIGHT_GATEWAYS; echo ready >&3; exec sleep 1000");
  object["spec"]["containers"][0]["env"] = Json::array({{{"name", "PILOTLIGHT_RUNTIME"}, {"value", "http"}},
                                                        {{"name", "PORT"}, {"value", "4711"}},
                                                        {{"name", "PILOTLIGHT_GATEWAYS"}, {"value", "127.0.0.9:1"}}});
  createPod(object);
  EXPECT_TRUE(eventually([&] { return logged("port=4711 gateways=127.0.0.9:1"); }));
}

TEST_F(ProcessRunnerTest, KeepsOutputPerFunctionWithPodAndStream) {
  startRunner();
  createPod(podRunning("p", "echo to-out; echo to-err >&2; printf unfinished; exit 0"));
  ASSERT_TRUE(eventually([&] { return logged("unfinished") && logged("to-err"); }));
  for (const auto& line : logs.read({"default", "fn"}, 0, 3)) {
    EXPECT_EQ(line.pod, "p");
    EXPECT_EQ(line.isStderr, line.text == "to-err");
  }
}

TEST_F(ProcessRunnerTest, TheOutputOfAnEndedProcessIsComplete) {
  startRunner();
  Json object = podRunning("p", "seq 1 20000");
  object["spec"]["restartPolicy"] = "Never";
  createPod(object);
  ASSERT_TRUE(eventually([&] { return status("p", "/status/phase") == "Succeeded"; }));
  const auto all = logs.tail({"default", "fn"}, 1);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text, "20000");
  EXPECT_EQ(all[0].sequence, 20000U);
}

TEST_F(ProcessRunnerTest, DeletionIsGraceful) {
  startRunner();
  const Object created = createPod(podRunning("p", "trap 'echo bye; exit 0' TERM; echo ready >&3; while :; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  ASSERT_TRUE(std::filesystem::exists(folderOf(created)));
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "p"}, {}));
  ASSERT_TRUE(eventually([&] { return !exists("p"); }));
  EXPECT_TRUE(logged("bye"));
  EXPECT_EQ(runner->running(), 0);
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(folderOf(created)); }));
}

TEST_F(ProcessRunnerTest, AProcessThatIgnoresSigtermIsKilledAfterTheGrace) {
  startRunner();
  createPod(podRunning("p", "trap 'echo ignored' TERM; sleep 1000 & echo child=$!; echo ready >&3; while :; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return ready("p") && loggedPid("child"); }));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "p"}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 1}));
  ASSERT_TRUE(eventually([&] { return !exists("p"); }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(900));
  EXPECT_TRUE(logged("ignored"));
  EXPECT_TRUE(eventually([&] { return !processLives(loggedPid("child")); }));
}

TEST_F(ProcessRunnerTest, ASecondDeletionCanShortenTheGrace) {
  startRunner();
  createPod(podRunning("p", "trap 'echo ignored' TERM; echo ready >&3; while :; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "p"}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 600}));
  ASSERT_TRUE(eventually([&] { return logged("ignored"); }));
  ASSERT_TRUE(exists("p"));
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "p"}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 1}));
  EXPECT_TRUE(eventually([&] { return !exists("p"); }));
}

TEST_F(ProcessRunnerTest, APodRemovedByForceLosesItsProcessAtOnce) {
  startRunner();
  const Object created = createPod(podRunning("p", "trap '' TERM; echo pid=$$; echo ready >&3; while :; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return ready("p") && loggedPid("pid"); }));
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "p"}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 0}));
  EXPECT_TRUE(eventually([&] { return !processLives(loggedPid("pid")) && runner->running() == 0; }));
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(folderOf(created)); }));
}

TEST_F(ProcessRunnerTest, StatusIsWrittenOnlyWhenItChanges) {
  startRunner();
  createPod(podRunning("p", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  const std::string version = pod("p").resourceVersion();
  createPod(podRunning("q", "echo ready >&3; echo ready >&3; exec sleep 1000"));
  putSource("Secret", "unrelated", {{"a", "b"}});
  ASSERT_TRUE(eventually([&] { return ready("q"); }));
  EXPECT_EQ(pod("p").resourceVersion(), version);
}

TEST_F(ProcessRunnerTest, PodsBeyondTheBoundWaitForRoom) {
  options.maxPods = 1;
  startRunner();
  createPod(podRunning("first", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("first"); }));
  createPod(podRunning("second", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return status("second", "/status/reason") == "OutOfpods"; }));
  EXPECT_EQ(status("second", "/status/phase"), "Pending");
  EXPECT_EQ(status("second", "/status/message"), "Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1");
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "first"}, {}));
  ASSERT_TRUE(eventually([&] { return ready("second"); }));
  EXPECT_EQ(status("second", "/status/reason"), "");
}

}  // namespace
}  // namespace pilotlight::local
