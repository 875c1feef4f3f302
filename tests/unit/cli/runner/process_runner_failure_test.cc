// Crashes, back-off, and the runner's own end.
#include "harness.h"

namespace pilotlight::local {
namespace {

using testing::eventually;
using testing::Json;
using testing::Object;
using testing::podRunning;
using testing::processLives;

class ProcessRunnerFailureTest : public testing::RunnerTest {};

TEST_F(ProcessRunnerFailureTest, ACrashLoopBacksOffAndShowsInTheStatus) {
  options.backoffBase = std::chrono::seconds(30);
  options.backoffMax = std::chrono::seconds(60);
  startRunner();
  createPod(podRunning("p", "echo first words; echo last words >&2; exit 3"));
  ASSERT_TRUE(eventually([&] { return waitingReason("p") == "CrashLoopBackOff"; }));
  const Object object = pod("p");
  EXPECT_EQ(restarts("p"), 1);  // the first restart was at once
  EXPECT_EQ(object.stringAt("/status/phase"), "Running");
  EXPECT_TRUE(testing::conditionIs(object, "Ready", "False"));
  EXPECT_EQ(object.stringAt("/status/containerStatuses/0/state/waiting/message"),
            "back-off 30s restarting failed container=function pod=p_default(" + object.uid() + ")");
  EXPECT_EQ(object.intAt("/status/containerStatuses/0/lastState/terminated/exitCode"), 3);
  EXPECT_EQ(object.stringAt("/status/containerStatuses/0/lastState/terminated/reason"), "Error");
  const std::string message = object.stringAt("/status/containerStatuses/0/lastState/terminated/message");
  EXPECT_NE(message.find("last words"), std::string::npos) << message;
}

TEST_F(ProcessRunnerFailureTest, BackOffDoublesUpToItsMaximum) {
  startRunner();  // 50, 100, 200, 200 ms
  const auto before = std::chrono::steady_clock::now();
  createPod(podRunning("p", "exit 1"));
  ASSERT_TRUE(eventually([&] { return restarts("p") >= 5; }));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(50 + 100 + 200 + 200));
}

TEST_F(ProcessRunnerFailureTest, ALongRunForgetsEarlierCrashes) {
  options.backoffBase = std::chrono::seconds(60);
  options.backoffMax = std::chrono::seconds(60);
  options.backoffReset = std::chrono::milliseconds(0);
  startRunner();
  createPod(podRunning("p", "exit 1"));
  EXPECT_TRUE(eventually([&] { return restarts("p") >= 4; }));
}

TEST_F(ProcessRunnerFailureTest, AKilledProcessComesBackOnTheSameAddress) {
  startRunner();
  createPod(podRunning("p", "echo pid=$$; echo ready >&3; sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("p") && loggedPid("pid"); }));
  const std::string address = pod("p").stringAt("/status/podIP");
  const auto seen = logs.tail({"default", "fn"}, 1).back().sequence;
  kill(loggedPid("pid"), SIGKILL);
  ASSERT_TRUE(eventually([&] { return restarts("p") == 1 && ready("p") && !logs.read({"default", "fn"}, seen, 1).empty(); }));
  const Object object = pod("p");
  EXPECT_EQ(object.stringAt("/status/podIP"), address);
  EXPECT_EQ(object.intAt("/status/containerStatuses/0/lastState/terminated/signal"), SIGKILL);
  EXPECT_EQ(object.intAt("/status/containerStatuses/0/lastState/terminated/exitCode"), 137);
}

TEST_F(ProcessRunnerFailureTest, ACrashTakesTheDescendantsWithIt) {
  startRunner();
  Json object = podRunning("p", "");
  object["spec"]["containers"][0]["args"] = {
      "bash", "-c", "sleep 1000 & echo group=$!; set -m; sleep 1000 & echo session=$!; echo pid=$$$$; echo ready >&3; wait"};
  object["spec"]["restartPolicy"] = "Never";
  createPod(object);
  ASSERT_TRUE(eventually([&] { return ready("p") && loggedPid("pid"); }));
  kill(loggedPid("pid"), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !processLives(loggedPid("group")) && !processLives(loggedPid("session")); }));
  EXPECT_TRUE(eventually([&] { return status("p", "/status/phase") == "Failed"; }));
  EXPECT_FALSE(ready("p"));
}

TEST_F(ProcessRunnerFailureTest, AShimThatCannotStartShowsWhy) {
  options.shimPath = "/no/such/shim";
  startRunner();
  createPod(podRunning("p", "true"));
  ASSERT_TRUE(eventually([&] { return waitingReason("p") == "RunContainerError"; }));
  EXPECT_EQ(status("p", "/status/containerStatuses/0/state/waiting/message"), "start /no/such/shim: No such file or directory");
  EXPECT_EQ(runner->running(), 0);
}

TEST_F(ProcessRunnerFailureTest, APodInBackOffCanBeDeleted) {
  options.backoffBase = options.backoffMax = std::chrono::seconds(60);
  startRunner();
  createPod(podRunning("p", "exit 1"));
  ASSERT_TRUE(eventually([&] { return waitingReason("p") == "CrashLoopBackOff"; }));
  ASSERT_TRUE(cluster.remove(kube::resources::pods, {"default", "p"}, {}));
  EXPECT_TRUE(eventually([&] { return !exists("p"); }));
}

TEST_F(ProcessRunnerFailureTest, StopLeavesNoProcessAndNoFiles) {
  options.stopGrace = std::chrono::milliseconds(200);
  startRunner();
  const Object polite = createPod(podRunning("polite", "trap 'exit 0' TERM; echo a=$$; echo ready >&3; while :; do sleep 0.01; done"));
  createPod(podRunning("stubborn", "trap '' TERM; sleep 1000 & echo b=$!; echo c=$$; echo ready >&3; while :; do sleep 0.01; done"));
  createPod(podRunning("crashing", "exit 1"));
  ASSERT_TRUE(eventually([&] { return ready("polite") && ready("stubborn") && loggedPid("a") && loggedPid("c"); }));
  runner->stop();
  EXPECT_EQ(runner->running(), 0);
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(eventually([&] { return !processLives(loggedPid(name)); })) << name;
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(options.stateDir) / "pods"));
  EXPECT_TRUE(exists("polite"));
  runner->stop();  // once more does no harm
}

TEST_F(ProcessRunnerFailureTest, StopDoesNotWaitForTheGraceWhenAllHaveEnded) {
  options.stopGrace = std::chrono::minutes(10);
  startRunner();
  createPod(podRunning("p", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  runner->stop();
  EXPECT_EQ(runner->running(), 0);
}

TEST_F(ProcessRunnerFailureTest, RemovesWhatAnEarlierRunLeft) {
  const std::filesystem::path state = options.stateDir;
  std::filesystem::create_directories(state / "pods/old-uid/root/run/db");
  std::ofstream(state / "pods/old-uid/root/run/db/password") << "stale";
  std::filesystem::create_directories(dir.path / "outside");
  std::ofstream(dir.path / "outside/file") << "keep";
  std::filesystem::create_directory_symlink(dir.path / "outside", state / "pods/link");
  std::ofstream(state / "other") << "keep";
  startRunner();
  EXPECT_TRUE(std::filesystem::is_empty(state / "pods"));
  EXPECT_TRUE(std::filesystem::exists(dir.path / "outside/file"));
  EXPECT_TRUE(std::filesystem::exists(state / "other"));
}

TEST_F(ProcessRunnerFailureTest, TwoRunnersDoNotShareAStateFolder) {
  startRunner();
  ProcessRunner other(cluster, logs, options);
  const auto started = other.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error(), "state folder " + options.stateDir + " is in use by another pilotlight local");
  runner->stop();
  EXPECT_TRUE(other.start());
}

TEST_F(ProcessRunnerFailureTest, RefusesAStateFolderThatIsALink) {
  std::filesystem::create_directories(dir.path / "precious/file");
  std::filesystem::create_directories(options.stateDir);
  std::filesystem::create_directory_symlink(dir.path / "precious", std::filesystem::path(options.stateDir) / "pods");
  ProcessRunner other(cluster, logs, options);
  EXPECT_FALSE(other.start());
  EXPECT_TRUE(std::filesystem::exists(dir.path / "precious/file"));
}

}  // namespace
}  // namespace pilotlight::local
