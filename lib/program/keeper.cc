#include "program/keeper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace pilotlight::program {

namespace {

using Clock = std::chrono::steady_clock;

sigset_t signals(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  return set;
}

/// Passes on what tells to end, until the child has ended. Its status, as waitpid has it.
int await(pid_t child, const std::function<void()>& ending, bool& told) {
  const sigset_t awaited = signals({SIGINT, SIGTERM, SIGHUP, SIGCHLD});
  for (;;) {
    siginfo_t from{};
    const int signal = ::sigwaitinfo(&awaited, &from);
    if (signal == SIGCHLD) {
      if (int status = 0; ::waitpid(child, &status, WNOHANG) == child) return status;
    } else if (signal > 0) {
      if (!told) ending();
      told = true;
      if (from.si_code != SI_KERNEL) ::kill(child, signal);  // a terminal has told the child as well
    }
  }
}

/// True: told to end within that time.
bool endsWithin(std::chrono::milliseconds pause) {
  const sigset_t awaited = signals({SIGINT, SIGTERM, SIGHUP});
  const timespec time{static_cast<time_t>(pause.count() / 1000), static_cast<long>(pause.count() % 1000 * 1'000'000)};
  return ::sigtimedwait(&awaited, nullptr, &time) > 0;
}

/// In the child. False: its keeper has died before it could know.
bool dieWith(pid_t keeper) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == keeper;
}

}  // namespace

int keep(const KeeperOptions& options, const Kept& kept) {
  const sigset_t taken = signals({SIGINT, SIGTERM, SIGHUP, SIGCHLD});
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &taken, &before);
  std::signal(SIGCHLD, SIG_DFL);  // ignored, as a parent may have left it, there would be no status
  const pid_t keeper = ::getpid();
  bool told = false;
  for (int crashes = 0, inARow = 0;;) {
    const auto began = Clock::now();
    const pid_t child = ::fork();
    if (child < 0) {
      std::perror("fork");
      return 1;
    }
    if (child == 0) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      return dieWith(keeper) ? kept.program(crashes) : 1;
    }
    const int status = await(child, kept.ending, told);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    ++crashes;
    inARow = Clock::now() - began < options.settled ? inARow + 1 : 1;
    const bool again = !told && inARow < options.crashesInARow;
    kept.crashed(WTERMSIG(status), again);
    if (!again) return 128 + WTERMSIG(status);
    if (inARow > 1 && endsWithin(options.pause * (1 << (inARow - 2)))) return 0;
  }
}

}  // namespace pilotlight::program
