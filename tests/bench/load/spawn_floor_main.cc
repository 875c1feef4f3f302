// bench-spawn-floor: what one process per request costs at least. Starts a program with posix_spawn, feeds it a small body
// through a pipe, reads its answer to the end and waits for it, one after the other; prints how many per second.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "net/socket.h"

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;
using pilotlight::net::Fd;

struct Pipe {
  Fd read, write;
  Pipe() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
};

pid_t spawn(char** command, const Pipe& in, const Pipe& out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), STDOUT_FILENO);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, command[0], &actions, nullptr, command, environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

bool once(char** command, const std::array<char, 100>& body) {
  Pipe in, out;
  const pid_t pid = spawn(command, in, out);
  if (pid < 0) return false;
  in.read.reset();
  out.write.reset();
  bool good = ::write(in.write.get(), body.data(), body.size()) == static_cast<ssize_t>(body.size());
  in.write.reset();
  std::array<char, 4096> answer;
  ssize_t got = 0, total = 0;
  while ((got = ::read(out.read.get(), answer.data(), answer.size())) > 0) total += got;
  int status = 0;
  good = ::waitpid(pid, &status, 0) == pid && status == 0 && good;
  return good && total > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench-spawn-floor SECONDS program [argument]...\n", stderr);
    return 2;
  }
  std::array<char, 100> body;
  body.fill('x');
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::atof(argv[1])));
  long count = 0;
  for (; Clock::now() < end; ++count) {
    if (once(argv + 2, body)) continue;
    std::fputs("bench-spawn-floor: the program fails\n", stderr);
    return 1;
  }
  std::printf("{\"requests_per_second\": %.1f}\n",
              static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - begin).count());
}
