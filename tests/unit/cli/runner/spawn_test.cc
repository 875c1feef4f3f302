#include "cli/local/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "harness.h"

namespace pilotlight::local {
namespace {

using testing::eventually;

class SpawnTest : public ::testing::Test {
 protected:
  Command shell(const std::string& script) {
    return {.program = "/bin/bash", .arguments = {"-c", script}, .environment = {"PATH=/usr/bin:/bin", "ONLY=this"}, .workDir = dir_.path};
  }
  static ExitStatus waitFor(const Process& process) {
    pollfd poller{process.pidfd.get(), POLLIN, 0};
    EXPECT_EQ(poll(&poller, 1, 20000), 1);
    return reap(process).value_or(ExitStatus{.code = -1});
  }
  static std::string readAll(const net::Fd& fd) {
    std::string out;
    char part[4096];
    for (ssize_t got; (got = read(fd.get(), part, sizeof part)) > 0;) out.append(part, static_cast<std::size_t>(got));
    return out;
  }
  testing::TempDir dir_;
};

TEST_F(SpawnTest, RunsInItsFolderWithACleanEnvironmentAndNothingElseOpen) {
  const net::Fd leak(fcntl(STDERR_FILENO, F_DUPFD, 50));  // without close-on-exec
  ASSERT_TRUE(leak);
  const auto process = spawn(
      shell("pwd; echo $ONLY ${HOME-unset}; readlink /proc/self/fd/0; echo words >&2; echo ready >&3; ls /proc/$$/fd | tr '\\n' ' '"));
  ASSERT_TRUE(process) << process.error();
  EXPECT_EQ(waitFor(*process).code, 0);
  EXPECT_EQ(readAll(process->err), "words\n");
  EXPECT_EQ(readAll(process->ready), "ready\n");
  const std::string out = readAll(process->out);
  EXPECT_TRUE(out.starts_with(std::filesystem::canonical(dir_.path).string() + "\nthis unset\n/dev/null\n")) << out;
  EXPECT_EQ(out.find(" " + std::to_string(leak.get()) + " "), std::string::npos) << out;
}

TEST_F(SpawnTest, TellsHowItEnded) {
  const auto ended = spawn(shell("exit 7"));
  ASSERT_TRUE(ended);
  const ExitStatus exit = waitFor(*ended);
  EXPECT_EQ(exit.code, 7);
  EXPECT_EQ(exit.signal, 0);
  const auto killed = spawn(shell("kill -SEGV $$"));
  ASSERT_TRUE(killed);
  const ExitStatus crash = waitFor(*killed);
  EXPECT_EQ(crash.code, 128 + SIGSEGV);
  EXPECT_EQ(crash.signal, SIGSEGV);
}

TEST_F(SpawnTest, SaysWhyNothingStarted) {
  Command command = shell("true");
  command.program = "/no/such/shim";
  EXPECT_EQ(spawn(command).error(), "start /no/such/shim: No such file or directory");
  command = shell("true");
  command.workDir = "/no/such/folder";
  EXPECT_EQ(spawn(command).error(), "work folder /no/such/folder: No such file or directory");
}

TEST_F(SpawnTest, SignalsAreNotBlockedOrIgnored) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  const auto process = spawn(shell("sleep 1000"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_TRUE(process);
  sendSignal(*process, SIGTERM);
  EXPECT_EQ(waitFor(*process).signal, SIGTERM);
}

TEST_F(SpawnTest, KillAllReachesTheGroupAndTheSession) {
  // set -m: a process group of its own, in the same session.
  const auto process = spawn(shell("sleep 1000 & echo $!; set -m; sleep 1000 & echo $!; echo ready >&3; wait"));
  ASSERT_TRUE(process);
  ASSERT_TRUE(eventually([&] { return readAll(process->ready) == "ready\n"; }));
  std::istringstream pids(readAll(process->out));
  pid_t inGroup = 0, inSession = 0;
  ASSERT_TRUE(pids >> inGroup >> inSession);
  killAll(*process, false);
  EXPECT_TRUE(eventually([&] { return !testing::processLives(inGroup); }));
  EXPECT_TRUE(testing::processLives(inSession));
  EXPECT_TRUE(eventually([&] { return peekExit(*process).has_value(); }));
  killAll(*process, true);
  EXPECT_TRUE(eventually([&] { return !testing::processLives(inSession); }));
  EXPECT_EQ(waitFor(*process).signal, SIGKILL);
}

}  // namespace
}  // namespace pilotlight::local
