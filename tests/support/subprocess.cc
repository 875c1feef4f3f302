#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pilotlight::test {

namespace {

[[noreturn]] void fail(const std::string& what, int error) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(error));
  std::abort();
}

std::vector<std::string> environmentWith(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    if (!added.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

Subprocess::Subprocess(const Command& command) {
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> environment = environmentWith(command.environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (command.out >= 0)
    posix_spawn_file_actions_adddup2(&actions, command.out, 1);
  else
    posix_spawn_file_actions_addopen(&actions, 1, (output_.path() / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, (output_.path() / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_addchdir_np(&actions, command.workDir.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int error = posix_spawnp(&pid_, argv[0].c_str(), &actions, &attributes, pointers(argv).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error) fail("start " + argv[0], error);
}

Subprocess::~Subprocess() {
  signalGroup(SIGKILL);
  wait(std::chrono::seconds(10));
}

void Subprocess::signal(int number) const {
  if (!exit_) kill(pid_, number);
}

void Subprocess::signalGroup(int number) const {
  if (!exit_) kill(-pid_, number);
}

std::optional<int> Subprocess::wait(std::chrono::milliseconds limit) {
  if (exit_) return exit_;
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended{fd, POLLIN, 0};
  const int ready = poll(&ended, 1, static_cast<int>(limit.count()));
  close(fd);
  int status = 0;
  if (ready != 1 || waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_;
}

Outcome run(const Command& command, std::chrono::milliseconds limit) {
  Subprocess process(command);
  const std::optional<int> exit = process.wait(limit);
  return {exit.value_or(-1), process.out(), process.err()};
}

}  // namespace pilotlight::test
