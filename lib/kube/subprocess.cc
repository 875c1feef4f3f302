#include "kube/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pilotlight::kube {

namespace {

using Clock = std::chrono::steady_clock;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

int spawn(const ProgramOptions& options, int output, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const auto argv = pointers(options.argv);
  const auto environment = pointers(options.environment);
  const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

/// True: readable (or ended) before the deadline.
bool readable(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wait{fd, POLLIN, 0};
    const int got = ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(0, left)));
    if (got > 0) return true;
    if (got == 0 || errno != EINTR) return false;
  }
}

std::expected<std::string, std::string> readAll(int fd, const ProgramOptions& options, Clock::time_point deadline) {
  std::string output;
  char part[4096];
  while (true) {
    if (!readable(fd, deadline)) return std::unexpected("did not end within " + std::to_string(options.timeout.count()) + " ms");
    const auto got = ::read(fd, part, sizeof part);
    if (got == 0) return output;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(std::string("its output cannot be read: ") + std::strerror(errno));
    output.append(part, static_cast<std::size_t>(got));
    if (output.size() > options.maxOutputBytes)
      return std::unexpected("wrote more than " + std::to_string(options.maxOutputBytes) + " bytes");
  }
}

/// After its output has ended: its exit in time, and the end of its process group in any case.
std::expected<void, std::string> finish(pid_t pid, bool healthy, const ProgramOptions& options, Clock::time_point deadline) {
  const Fd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool inTime = healthy && handle.get() >= 0 && readable(handle.get(), deadline);
  ::kill(-pid, SIGKILL);  // before it is reaped, so that the number still means this group
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!inTime) return std::unexpected("did not end within " + std::to_string(options.timeout.count()) + " ms");
  if (WIFSIGNALED(status)) return std::unexpected("was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return std::unexpected("exited with " + std::to_string(WEXITSTATUS(status)));
  return {};
}

}  // namespace

std::expected<std::string, std::string> runProgram(const ProgramOptions& options) {
  const auto deadline = Clock::now() + options.timeout;
  const auto failed = [&](const std::string& why) { return std::unexpected("program " + options.argv[0] + ": " + why); };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(std::strerror(errno));
  const Fd in(ends[0]);
  Fd out(ends[1]);
  pid_t pid = -1;
  const int error = spawn(options, out.get(), pid);
  if (error != 0) return failed(std::strerror(error));
  out.close();
  auto output = readAll(in.get(), options, deadline);
  const auto ended = finish(pid, output.has_value(), options, deadline);
  if (!output) return failed(output.error());
  if (!ended) return failed(ended.error());
  return *std::move(output);
}

}  // namespace pilotlight::kube
