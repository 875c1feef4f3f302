#include "runtime-shim/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "runtime-shim/descendants.h"

namespace pilotlight::shim {
namespace {

TEST(SpawnTest, ReportsWhyAProgramCouldNotBeLoaded) {
  char* none[] = {nullptr};
  auto pid = spawn({"/nonexistent", none, none, {}, true});
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error(), ENOENT);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "nothing is left to be reaped";
}

TEST(SpawnTest, TheProgramLeadsItsGroupWithDefaultSignals) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> words = {"sh", "-c", "kill -PIPE $$; exit 5"}, variables;
  ArgumentList arguments(words), environment(variables);
  auto pid = spawn({"/bin/sh", arguments.data(), environment.data(), {}, true});
  ASSERT_TRUE(pid);
  EXPECT_EQ(getpgid(*pid), *pid);
  int status = 0;
  ASSERT_EQ(waitpid(*pid, &status, 0), *pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE) << describeWaitStatus(status);
}

TEST(FindExecutableTest, SearchesInOrderUnlessThereIsASlash) {
  EXPECT_EQ(findExecutable("sh", "/nowhere:/bin:/usr/bin").value(), "/bin/sh");
  EXPECT_EQ(findExecutable("/bin/sh", "").value(), "/bin/sh");
  EXPECT_EQ(findExecutable("no-such-program", "/bin").error(), "no-such-program: no such program in PATH");
  EXPECT_FALSE(findExecutable("./sh", "/bin"));
}

TEST(KillDescendantsTest, FindsThoseThatLeftTheirSession) {
  becomeSubreaper();
  const std::vector<std::string> words = {"sh", "-c", "setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & exit 0"};
  const std::vector<std::string> variables = {"PATH=/usr/bin:/bin"};
  ArgumentList arguments(words), environment(variables);
  auto pid = spawn({"/bin/sh", arguments.data(), environment.data(), {}, true});
  ASSERT_TRUE(pid);
  ASSERT_EQ(waitpid(*pid, nullptr, 0), *pid);
  EXPECT_TRUE(killDescendants(std::chrono::seconds(10)));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace pilotlight::shim
