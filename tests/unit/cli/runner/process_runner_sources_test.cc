// Secrets and ConfigMaps of running Pods.
#include "harness.h"

namespace pilotlight::local {
namespace {

using testing::eventually;
using testing::Json;
using testing::Object;
using testing::podRunning;
using testing::readFile;

class ProcessRunnerSourcesTest : public testing::RunnerTest {
 protected:
  static Json mounting(const std::string& name, const std::string& script) {
    Json pod = podRunning(name, script);
    pod["spec"]["volumes"] = Json::array({{{"name", "v"}, {"secret", {{"secretName", "db"}}}}});
    pod["spec"]["containers"][0]["volumeMounts"] = Json::array({{{"name", "v"}, {"mountPath", "/run/db"}}});
    return pod;
  }
  static Json withKey(const std::string& name, const std::string& script) {
    Json pod = podRunning(name, script);
    pod["spec"]["containers"][0]["env"] =
        Json::array({{{"name", "PASSWORD"}, {"valueFrom", {{"secretKeyRef", {{"name", "db"}, {"key", "password"}}}}}}});
    return pod;
  }
  std::string waitingMessage(const std::string& name) { return status(name, "/status/containerStatuses/0/state/waiting/message"); }
};

TEST_F(ProcessRunnerSourcesTest, TheProcessReadsItsSecretUnderTheMountRoot) {
  putSource("Secret", "db", {{"password", "hunter2"}});
  startRunner();
  createPod(mounting("p", "echo got=$(cat $PILOTLIGHT_MOUNT_ROOT/run/db/password); exec sleep 1000"));
  EXPECT_TRUE(eventually([&] { return logged("got=hunter2"); }));
}

TEST_F(ProcessRunnerSourcesTest, AMissingSecretIsNamedAndItsArrivalHeals) {
  startRunner();
  createPod(mounting("p", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return waitingReason("p") == "CreateContainerConfigError"; }));
  EXPECT_EQ(waitingMessage("p"), "secret \"db\" not found");
  EXPECT_EQ(status("p", "/status/phase"), "Pending");
  putSource("Secret", "db", {{"password", "x"}});
  EXPECT_TRUE(eventually([&] { return ready("p"); }));
  EXPECT_EQ(restarts("p"), 0);
}

TEST_F(ProcessRunnerSourcesTest, AMissingKeyIsNamedAndItsArrivalHeals) {
  putSource("Secret", "db", {{"other", "hidden-value"}});
  startRunner();
  createPod(withKey("p", "echo got=$PASSWORD; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return waitingReason("p") == "CreateContainerConfigError"; }));
  EXPECT_EQ(waitingMessage("p"), "couldn't find key password in Secret default/db");
  putSource("Secret", "db", {{"other", "hidden-value"}, {"password", "now"}});
  EXPECT_TRUE(eventually([&] { return logged("got=now"); }));
}

TEST_F(ProcessRunnerSourcesTest, AChangedSecretReachesTheRunningProcessAtomically) {
  putSource("Secret", "db", {{"a", "1"}, {"b", "1"}});
  startRunner();
  // Both files through one handle on the set: they always belong together.
  const Object created = createPod(
      mounting("p",
               "cd $PILOTLIGHT_MOUNT_ROOT/run/db; echo ready >&3; while :; do if cd -P ..data 2>/dev/null; then "
               "v=\"$(cat a 2>/dev/null) $(cat b 2>/dev/null)\"; cd ..; case \"$v\" in '1 1'|'2 2'|' '*|*' ') ;; *) echo mixed=$v;; esac; "
               "[ \"$v\" = '2 2' ] && echo seen; fi; sleep 0.005; done"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  putSource("Secret", "db", {{"a", "2"}, {"b", "2"}});
  EXPECT_TRUE(eventually([&] { return readFile(folderOf(created) / "root/run/db/a") == "2"; }));
  EXPECT_TRUE(eventually([&] { return logged("seen"); }));
  for (const std::string& line : lines()) EXPECT_FALSE(line.starts_with("mixed")) << line;
  EXPECT_EQ(restarts("p"), 0);
}

TEST_F(ProcessRunnerSourcesTest, ADeletedSecretLeavesARunningProcessItsFiles) {
  putSource("Secret", "db", {{"a", "1"}});
  putSource("Secret", "marker", {{"a", "1"}});
  std::atomic<int> refused{0};
  options.log = [&](std::string_view line) {
    if (line.find("mounts not refreshed") != std::string_view::npos) ++refused;
  };
  startRunner();
  const Object created = createPod(mounting("p", "echo ready >&3; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return ready("p"); }));
  ASSERT_TRUE(cluster.remove(kube::resources::secrets, {"default", "db"}, {}));
  ASSERT_TRUE(eventually([&] { return refused > 0; }));
  EXPECT_EQ(readFile(folderOf(created) / "root/run/db/a"), "1");
  EXPECT_TRUE(ready("p"));
  runner.reset();  // before what its log writes to
}

TEST_F(ProcessRunnerSourcesTest, SecretValuesAreInNoStatusAndNoLog) {
  std::string own;
  options.log = [&](std::string_view line) { own.append(line).append("\n"); };
  putSource("Secret", "db", {{"password", "hunter2"}, {"bad/key", "hunter2"}});
  startRunner();
  createPod(mounting("mounted", "exec sleep 1000"));
  createPod(withKey("keyed", "exit 1"));
  ASSERT_TRUE(eventually([&] { return waitingReason("mounted") == "CreateContainerConfigError" && restarts("keyed") > 0; }));
  EXPECT_NE(waitingMessage("mounted").find("bad/key"), std::string::npos);
  for (const char* name : {"mounted", "keyed"}) EXPECT_EQ(pod(name).json().dump().find("hunter2"), std::string::npos) << name;
  runner.reset();
  EXPECT_FALSE(own.empty());
  EXPECT_EQ(own.find("hunter2"), std::string::npos) << own;
}

}  // namespace
}  // namespace pilotlight::local
