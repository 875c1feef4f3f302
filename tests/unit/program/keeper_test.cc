#include "program/keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/support/wait.h"

namespace pilotlight::program {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A process that keeps a program, with a pipe from both.
class AKeeper : public testing::Test {
 protected:
  AKeeper() { EXPECT_EQ(::pipe2(pipe_, O_CLOEXEC), 0); }
  ~AKeeper() override {
    if (keeper_ > 0) {
      ::kill(keeper_, SIGKILL);
      ::waitpid(keeper_, nullptr, 0);
    }
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }

  void keep(std::function<int(int crashes)> program, KeeperOptions options = {}) {
    keeper_ = ::fork();
    if (keeper_ != 0) return;
    if (ignoresChildren_) std::signal(SIGCHLD, SIG_IGN);
    Kept kept;
    kept.program = std::move(program);
    kept.crashed = [this](int, bool again) { say(again ? "again " : "over "); };
    kept.ending = [this] { say("ending "); };
    ::_exit(program::keep(options, kept));
  }
  void say(std::string_view text) const { EXPECT_EQ(::write(pipe_[1], text.data(), text.size()), static_cast<ssize_t>(text.size())); }
  /// In a child: which one it is.
  void tell(int crashes) const { say(std::to_string(crashes) + "=" + std::to_string(::getpid()) + " "); }
  /// The next word that was said; what there is of it after 20 s.
  std::string hear() const {
    std::string word;
    pollfd ready{.fd = pipe_[0], .events = POLLIN, .revents = 0};
    for (char c = 0; ::poll(&ready, 1, 20'000) == 1 && ::read(pipe_[0], &c, 1) == 1 && c != ' ';) word += c;
    return word;
  }
  pid_t child(int crashes) const {
    const std::string told = hear(), expected = std::to_string(crashes) + "=";
    EXPECT_EQ(told.substr(0, expected.size()), expected);
    return static_cast<pid_t>(std::atoi(told.c_str() + expected.size()));
  }
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(keeper_, &status, 0), std::exchange(keeper_, -1));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  pid_t keeper_ = -1;
  bool ignoresChildren_ = false;
  int pipe_[2];
};

[[noreturn]] void stay() {
  for (;;) ::pause();
}

TEST_F(AKeeper, PassesTheExitStatusBack) {
  keep([](int) { return 7; });
  EXPECT_EQ(wait(), 7);
}

TEST_F(AKeeper, StartsACrashedProgramAgainAndTellsItHowManyCrashed) {
  keep([this](int crashes) {
    tell(crashes);
    if (crashes < 2) stay();
    return 3;
  });
  ::kill(child(0), SIGKILL);
  EXPECT_EQ(hear(), "again");
  ::kill(child(1), SIGABRT);
  EXPECT_EQ(hear(), "again");
  EXPECT_GT(child(2), 0);
  EXPECT_EQ(wait(), 3);
}

TEST_F(AKeeper, EndsAfterCrashesInARowWithTheLastOnesStatus) {
  keep([](int) { return std::raise(SIGKILL); }, {.crashesInARow = 3, .pause = milliseconds(1)});
  EXPECT_EQ(wait(), 128 + SIGKILL);
  for (const char* word : {"again", "again", "over"}) EXPECT_EQ(hear(), word);
}

TEST_F(AKeeper, TakesCrashesOfThoseThatRanForLongForNoRow) {
  keep(
      [this](int crashes) {
        tell(crashes);
        return crashes < 20 ? std::raise(SIGKILL) : 0;
      },
      {.settled = milliseconds(0), .crashesInARow = 2, .pause = seconds(60)});
  EXPECT_EQ(wait(), 0);
}

TEST_F(AKeeper, PassesSignalsOnAndLetsTheProgramEndAsItWill) {
  keep([this](int crashes) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    tell(crashes);
    int first = 0, second = 0;
    ::sigwait(&set, &first);
    say("got ");
    ::sigwait(&set, &second);
    return first == SIGTERM && second == SIGHUP ? 5 : 6;
  });
  child(0);
  ::kill(keeper_, SIGTERM);
  EXPECT_EQ(hear(), "ending");
  EXPECT_EQ(hear(), "got");
  ::kill(keeper_, SIGHUP);
  EXPECT_EQ(wait(), 5);
}

TEST_F(AKeeper, StartsNoneAgainThatWasToldToEnd) {
  keep([this](int crashes) {
    tell(crashes);
    stay();
    return 0;
  });
  child(0);
  ::kill(keeper_, SIGINT);
  EXPECT_EQ(hear(), "ending");
  EXPECT_EQ(hear(), "over");
  EXPECT_EQ(wait(), 128 + SIGINT);
}

TEST_F(AKeeper, EndsWhenItIsToldToBetweenTwoStarts) {
  keep([](int) { return std::raise(SIGKILL); }, {.pause = seconds(600)});
  EXPECT_EQ(hear(), "again");
  EXPECT_EQ(hear(), "again");
  ::kill(keeper_, SIGTERM);
  EXPECT_EQ(wait(), 0);
}

TEST_F(AKeeper, TakesItsProgramAlongWhenItIsKilled) {
  keep([this](int crashes) {
    tell(crashes);
    stay();
    return 0;
  });
  const pid_t program = child(0);
  ::kill(keeper_, SIGKILL);
  wait();
  const auto ended = [&] {  // nobody may be there to take its status
    std::ifstream stat("/proc/" + std::to_string(program) + "/stat");
    std::string text;
    std::getline(stat, text);
    return text.empty() || text.substr(text.rfind(')') + 2, 1) == "Z";
  };
  EXPECT_TRUE(test::waitUntil(ended, seconds(20)));
}

TEST_F(AKeeper, LearnsOfTheEndAlsoWhenItsParentIgnoredThatOfChildren) {
  ignoresChildren_ = true;
  keep([](int) { return 7; });
  EXPECT_EQ(wait(), 7);
}

}  // namespace
}  // namespace pilotlight::program
