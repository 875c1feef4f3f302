// Nothing that was started outlives the instance, however it ends.
#include <signal.h>

#include <algorithm>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

// A server whose child leaves the process group and the session, as a daemon does.
constexpr const char* kDaemonServer =
    "import os, subprocess, sys\n"
    "from http.server import BaseHTTPRequestHandler, HTTPServer\n"
    "subprocess.Popen([sys.executable, '-c', 'import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(600)'])\n"
    "class Handler(BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200)\n"
    "        self.end_headers()\n"
    "    def log_message(self, *args): pass\n"
    "HTTPServer(('', int(os.environ['PORT'])), Handler).serve_forever()\n";

class Lifetime : public LocalTest {
 protected:
  // First the instance, so that the busy request ends.
  ~Lifetime() override {
    if (local.running()) local.stop(SIGTERM);
  }

  // A native, an http (with its daemon) and a busy exec function, all with a replica.
  void startAll() {
    local.addExample("hello");
    local.addFile("daemon/daemon.py", kDaemonServer);
    local.addFile("daemon/function.yaml",
                  "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: daemon}\n"
                  "spec: {runtime: http, handler: [python3, daemon.py], scale: {initial: 0}}\n");
    local.addFile("busy/function.yaml",
                  "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: busy}\n"
                  "spec: {runtime: exec, handler: [sleep, '60'], timeout: 90s, scale: {initial: 0}}\n");
    ASSERT_NO_FATAL_FAILURE(startWith({"hello", "daemon", "busy"}));
    ASSERT_EQ(status(local.get("/hello")), 200);
    ASSERT_EQ(status(local.get("/daemon")), 200);
    busy_ = local.requestLater({.target = "/busy"});
    const auto allRun = [&] { return daemonised() && runs("native-host") && runs("sleep 60") && runs("daemon.py"); };
    ASSERT_TRUE(waitUntil(allRun, 10s)) << describe(started());
    before_ = started();
  }

  // In the tree, or out of it but in the functions' folders.
  std::vector<Process> started() const {
    std::vector<Process> all = local.tree();
    for (const Process& process : processesIn(local.functions())) all.push_back(process);
    return all;
  }

  bool runs(const std::string& word) const {
    const std::vector<Process> all = started();
    return std::any_of(all.begin(), all.end(), [&](const Process& p) { return p.command.find(word) != std::string::npos; });
  }

  // Its first parent is gone, and the shim has taken it in.
  bool daemonised() const {
    const std::vector<Process> shims = local.shims("daemon"), all = started();
    return std::any_of(all.begin(), all.end(), [&](const Process& p) {
      return p.command.find("time.sleep(600)") != std::string::npos && !shims.empty() && p.parent == shims.front().pid;
    });
  }

  void expectNothingLives() {
    std::vector<Process> left;
    const auto allGone = [&] {
      left = processesIn(local.functions());
      std::copy_if(before_.begin(), before_.end(), std::back_inserter(left), alive);
      return left.empty();
    };
    EXPECT_TRUE(waitUntil(allGone, 5s)) << describe(left);
  }

  std::vector<Process> before_;
  std::future<HttpResult> busy_;
};

TEST_F(Lifetime, KilledByKillMinus9NothingLivesOnAndTheNextStartWorks) {
  ASSERT_NO_FATAL_FAILURE(startAll());
  EXPECT_EQ(local.stop(SIGKILL), 128 + SIGKILL);
  expectNothingLives();
  ASSERT_NO_FATAL_FAILURE(startWith({"hello", "daemon"}));  // same state folder, same port
  EXPECT_EQ(body(local.get("/hello?name=again")), "Hello, again!\n");
  EXPECT_EQ(status(local.get("/daemon")), 200);
}

TEST_F(Lifetime, CtrlCEndsEveryProcess) {
  ASSERT_NO_FATAL_FAILURE(startAll());
  const auto begin = std::chrono::steady_clock::now();
  local.interruptGroup();
  EXPECT_TRUE(local.waitForEnd(40s));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 40s);
  expectNothingLives();
}

TEST_F(Lifetime, ADaemonOfAReplicaThatWasKilledEndsToo) {
  ASSERT_NO_FATAL_FAILURE(startAll());
  for (const Process& shim : local.shims("daemon")) kill(shim.pid, SIGKILL);
  const auto daemonOfTheFirst = [&] {
    return std::any_of(before_.begin(), before_.end(),
                       [](const Process& p) { return p.command.find("time.sleep(600)") != std::string::npos && alive(p); });
  };
  EXPECT_TRUE(waitUntil([&] { return !daemonOfTheFirst(); }, 10s)) << describe(started());
}

TEST_F(Lifetime, SigtermEndsEveryProcessAndExitsWithZero) {
  local.addExample("hello");
  ASSERT_NO_FATAL_FAILURE(startWith({"hello"}));
  ASSERT_EQ(status(local.get("/hello")), 200);
  before_ = started();
  EXPECT_EQ(local.stop(SIGTERM), 0);
  expectNothingLives();
}

TEST_F(Lifetime, ASecondInstanceInTheSameStateFolderIsRefused) {
  ASSERT_NO_FATAL_FAILURE(start());
  const std::string other = "127.0.0.1:" + std::to_string(freePort());
  const Outcome second = local.cli({"local", "-f", local.functions().string(), "--listen", other});
  EXPECT_GT(second.exit, 0) << second.all();
  EXPECT_THAT(second.err, Not(IsEmpty()));
  EXPECT_EQ(status(local.get("/")), 404) << "the first one still serves";
}

TEST_F(Lifetime, APortThatIsTakenIsSaidAtOnce) {
  ASSERT_NO_FATAL_FAILURE(start());
  LocalInstance second;
  const std::string taken = "127.0.0.1:" + std::to_string(local.port());
  const Outcome outcome = second.cli({"local", "-f", second.functions().string(), "--listen", taken});
  EXPECT_GT(outcome.exit, 0) << outcome.all();
  EXPECT_THAT(outcome.out + outcome.err, HasSubstr(taken));
}

}  // namespace
}  // namespace pilotlight::test
