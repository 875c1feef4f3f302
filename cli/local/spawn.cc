#include "cli/local/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

namespace pilotlight::local {

namespace {

struct Pipe {
  net::Fd read, write;
};

/// Both ends above the descriptors that the child gets, so that no dup2 there hits one that is still needed.
std::expected<Pipe, std::string> makePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(std::string("make a pipe: ") + std::strerror(errno));
  Pipe pipe{net::Fd(ends[0]), net::Fd(ends[1])};
  for (net::Fd* end : {&pipe.read, &pipe.write}) {
    if (end->get() > kReadyFd) continue;
    const int moved = fcntl(end->get(), F_DUPFD_CLOEXEC, kReadyFd + 1);
    if (moved < 0) return std::unexpected(std::string("make a pipe: ") + std::strerror(errno));
    *end = net::Fd(moved);
  }
  fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts, const std::string* first = nullptr) {
  std::vector<char*> out;
  out.reserve(texts.size() + 2);
  if (first) out.push_back(const_cast<char*>(first->c_str()));
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// 0 or an errno.
int spawnInto(const Command& command, const Pipe& out, const Pipe& err, const Pipe& ready, pid_t& pid) {
  static const Attributes attributes;
  FileActions actions;
  int error = posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_adddup2(actions.get(), out.write.get(), STDOUT_FILENO);
  if (!error) error = posix_spawn_file_actions_adddup2(actions.get(), err.write.get(), STDERR_FILENO);
  if (!error) error = posix_spawn_file_actions_adddup2(actions.get(), ready.write.get(), kReadyFd);
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(actions.get(), kReadyFd + 1);
  if (!error) error = posix_spawn_file_actions_addchdir_np(actions.get(), command.workDir.c_str());
  if (error) return error;
  const auto arguments = pointers(command.arguments, &command.program);
  const auto environment = pointers(command.environment);
  return posix_spawn(&pid, command.program.c_str(), actions.get(), attributes.get(), arguments.data(), environment.data());
}

struct Relations {
  pid_t parent = -1, session = -1;  // -1: the process is gone
};

Relations relationsOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const std::string line = text.str();
  const std::size_t name = line.rfind(')');  // the name may hold anything
  if (name == std::string::npos) return {};
  std::istringstream rest(line.substr(name + 1));
  char state = 0;
  pid_t group = -1;
  Relations relations;
  rest >> state >> relations.parent >> group >> relations.session;
  return rest ? relations : Relations{};
}

std::vector<pid_t> allProcesses() {
  std::vector<pid_t> all;
  DIR* folder = opendir("/proc");
  if (!folder) return all;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) all.push_back(pid);
  }
  closedir(folder);
  return all;
}

void killSession(pid_t session) {
  for (const pid_t pid : allProcesses()) {
    if (pid == session || relationsOf(pid).session != session) continue;
    // Looked at again through a handle: the id could have changed hands in between.
    const net::Fd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (handle && relationsOf(pid).session == session) syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
  }
}

std::optional<ExitStatus> waitFor(const Process& process, int options) {
  siginfo_t info{};
  int result;
  do result = waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process.pidfd.get()), &info, WEXITED | WNOHANG | options);
  while (result != 0 && errno == EINTR);
  if (result != 0) return ExitStatus{.code = 255};  // taken by another waiter: it is gone all the same
  if (info.si_pid == 0) return std::nullopt;
  if (info.si_code == CLD_EXITED) return ExitStatus{.code = info.si_status};
  return ExitStatus{.code = 128 + info.si_status, .signal = info.si_status};
}

}  // namespace

std::expected<Process, std::string> spawn(const Command& command) {
  struct stat info{};
  if (stat(command.workDir.c_str(), &info) != 0) return std::unexpected("work folder " + command.workDir + ": " + std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return std::unexpected("work folder " + command.workDir + ": not a folder");
  auto out = makePipe(), err = makePipe(), ready = makePipe();
  for (const auto* pipe : {&out, &err, &ready})
    if (!*pipe) return std::unexpected(pipe->error());
  pid_t pid = -1;
  if (const int error = spawnInto(command, *out, *err, *ready, pid))
    return std::unexpected("start " + command.program + ": " + std::strerror(error));
  net::Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int error = errno;
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return std::unexpected("watch the process of " + command.program + ": " + std::strerror(error));
  }
  return Process{pid, std::move(pidfd), std::move(out->read), std::move(err->read), std::move(ready->read)};
}

void sendSignal(const Process& process, int signal) {
  syscall(SYS_pidfd_send_signal, process.pidfd.get(), signal, nullptr, 0);
}

void killAll(const Process& process, bool session) {
  if (process.pid <= 1) return;
  kill(-process.pid, SIGKILL);
  sendSignal(process, SIGKILL);
  if (session) killSession(process.pid);
}

std::optional<ExitStatus> peekExit(const Process& process) {
  return waitFor(process, WNOWAIT);
}

std::optional<ExitStatus> reap(const Process& process) {
  return waitFor(process, 0);
}

std::vector<pid_t> childrenOfThisProcess() {
  std::vector<pid_t> children = allProcesses();
  const pid_t self = getpid();
  std::erase_if(children, [self](pid_t pid) { return relationsOf(pid).parent != self; });
  return children;
}

}  // namespace pilotlight::local
