#include "cli/state_dir.h"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cli/temp_dir.h"

namespace pilotlight::cli {
namespace {

unsigned modeOf(const std::filesystem::path& path) {
  struct stat info{};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 0777U;
}

TEST(StateDirPath, FollowsFlagHomeAndXdgInThatOrder) {
  std::map<std::string, std::string> variables = {{"PILOTLIGHT_HOME", "/p"}, {"XDG_STATE_HOME", "/x"}, {"HOME", "/h"}};
  const Environment environment = [&](const char* name) { return variables[name]; };
  EXPECT_EQ(stateDirPath("/flag", environment), "/flag");
  EXPECT_EQ(stateDirPath("", environment), "/p");
  variables.erase("PILOTLIGHT_HOME");
  EXPECT_EQ(stateDirPath("", environment), "/x/pilotlight");
  variables.erase("XDG_STATE_HOME");
  EXPECT_EQ(stateDirPath("", environment), "/h/.local/state/pilotlight");
}

TEST(StateDir, IsPrivateAndHasOneHolder) {
  const TempDir temp;
  const auto path = temp / "state";
  {
    const auto first = StateDir::open(path);
    ASSERT_TRUE(first) << first.error();
    EXPECT_EQ(modeOf(path), 0700U);
    const auto second = StateDir::open(path);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find(std::to_string(::getpid())), std::string::npos) << second.error();
    EXPECT_NE(second.error().find("--state-dir"), std::string::npos);
  }
  EXPECT_TRUE(StateDir::open(path));
}

TEST(StateDir, AKilledHolderIsNoObstacle) {
  const TempDir temp;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = StateDir::open(temp / "state");
    const char ok = held ? 'y' : 'n';
    if (::write(ready[1], &ok, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char ok = 0;
  ASSERT_EQ(::read(ready[0], &ok, 1), 1);
  ASSERT_EQ(ok, 'y');
  EXPECT_FALSE(StateDir::open(temp / "state"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(StateDir::open(temp / "state"));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(PrivateFile, IsReplacedAndReadableByTheUserOnly) {
  const TempDir temp;
  const auto path = temp.write("file", "old");
  ::chmod(path.c_str(), 0644);
  ASSERT_TRUE(writePrivateFile(path, "new"));
  EXPECT_EQ(modeOf(path), 0600U);
  std::string text;
  std::ifstream(path) >> text;
  EXPECT_EQ(text, "new");
}

}  // namespace
}  // namespace pilotlight::cli
