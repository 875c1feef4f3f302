#include "runtime-shim/process.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "net/descriptor_limit.h"

namespace pilotlight::shim {
namespace {

// The write end of the pipe from the signal handler to the loop. A signal handler has no other way to find it.
int signalPipe = -1;

void noteSignal(int signal) {
  int saved = errno;
  auto byte = static_cast<unsigned char>(signal);
  // A full pipe already holds plenty to wake the loop, and children are found whatever number of notes there is.
  [[maybe_unused]] ssize_t ignored = ::write(signalPipe, &byte, 1);
  errno = saved;
}

constexpr int kResetInChild[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE};

// Runs in the child after vfork: it shares our memory, so nothing here may allocate, lock or touch shared state.
[[noreturn]] void becomeProgram(const SpawnRequest& request, pid_t parent, int report) {
  for (int signal : kResetInChild) ::signal(signal, SIG_DFL);
  if (request.ownGroup) ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before the line above
  bool failed = false;
  for (const auto& [from, to] : request.descriptors) {
    failed = failed || (from == to ? ::fcntl(from, F_SETFD, 0) : ::dup2(from, to)) < 0;
  }
  if (!failed) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    net::restoreDescriptorLimit();
    ::execve(request.path, request.arguments, request.environment);
  }
  int error = errno;
  [[maybe_unused]] ssize_t ignored = ::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

ArgumentList::ArgumentList(const std::vector<std::string>& items, const std::vector<std::string>& more) {
  pointers_.reserve(items.size() + more.size() + 1);
  for (const auto& item : items) pointers_.push_back(const_cast<char*>(item.c_str()));
  for (const auto& item : more) pointers_.push_back(const_cast<char*>(item.c_str()));
  pointers_.push_back(nullptr);
}

std::expected<pid_t, int> spawn(const SpawnRequest& request) {
  int report[2];  // the child writes errno there, or execve closes it
  if (::pipe2(report, O_CLOEXEC) != 0) return std::unexpected(errno);
  // A signal that hits the child before its handlers are reset would be noted in our pipe: block all across vfork.
  sigset_t all, saved;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &saved);
  pid_t parent = ::getpid();
  pid_t child = ::vfork();  // not fork: the time to copy page tables would be part of every cold start
  if (child == 0) becomeProgram(request, parent, report[1]);
  int error = child < 0 ? errno : 0;
  ::pthread_sigmask(SIG_SETMASK, &saved, nullptr);
  ::close(report[1]);
  while (child > 0 && ::read(report[0], &error, sizeof error) < 0 && errno == EINTR) {
  }
  ::close(report[0]);
  if (error == 0) return child;
  if (child > 0) ::waitpid(child, nullptr, 0);
  return std::unexpected(error);
}

std::expected<std::string, std::string> findExecutable(std::string_view name, std::string_view path) {
  std::string candidate(name);
  if (name.find('/') != std::string_view::npos) {
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    return std::unexpected(candidate + ": " + std::strerror(errno));
  }
  if (path.empty()) path = "/usr/local/bin:/usr/bin:/bin";
  while (!path.empty()) {
    std::string_view folder = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
    candidate.assign(folder.empty() ? "." : folder).append("/").append(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::unexpected(std::string(name) + ": no such program in PATH");
}

void setCloseOnExec(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

std::string describeWaitStatus(int status) {
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : "exit code " + std::to_string(WEXITSTATUS(status));
}

Signals::Signals(net::Loop& loop, std::initializer_list<int> signals, std::function<void(int)> deliver)
    : loop_(loop), signals_(signals), deliver_(std::move(deliver)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  readEnd_ = ends[0];
  signalPipe = ends[1];
  loop_.add(readEnd_, EPOLLIN, *this);
  struct sigaction action{};
  action.sa_handler = &noteSignal;
  action.sa_flags = SA_RESTART;
  ::sigfillset(&action.sa_mask);
  for (int signal : signals_) ::sigaction(signal, &action, nullptr);
}

Signals::~Signals() {
  for (int signal : signals_) ::signal(signal, SIG_DFL);
  loop_.remove(readEnd_, *this);
  ::close(readEnd_);
  ::close(signalPipe);
  signalPipe = -1;
}

void Signals::onReady(std::uint32_t) {
  unsigned char notes[64];
  ssize_t count = ::read(readEnd_, notes, sizeof notes);
  for (ssize_t i = 0; i < count; ++i) deliver_(notes[i]);
}

void Children::add(pid_t child, bool killGroup, std::function<void(int)> ended) {
  owned_.insert_or_assign(child, Owned{killGroup, std::move(ended)});
}

void Children::reap() {
  siginfo_t info{};
  // Looked at first, reaped after: until it is reaped, its number can't belong to another process or group.
  while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
    pid_t child = info.si_pid;
    auto node = owned_.extract(child);
    if (node && node.mapped().killGroup) ::kill(-child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (node) node.mapped().ended(status);
    info = {};
  }
}

}  // namespace pilotlight::shim
