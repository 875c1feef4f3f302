#include "runtime-shim/descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pilotlight::shim {
namespace {

std::string readSmall(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text;
  char part[4096];
  for (ssize_t count; (count = ::read(fd, part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(count));
  ::close(fd);
  return text;
}

std::vector<pid_t> numberedEntries(const char* folder) {
  std::vector<pid_t> numbers;
  DIR* dir = ::opendir(folder);
  if (!dir) return numbers;
  while (dirent* entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    pid_t number = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc()) numbers.push_back(number);
  }
  ::closedir(dir);
  return numbers;
}

// The parent's number from "/proc/<pid>/stat": the second field after the command's closing parenthesis.
pid_t parentOf(pid_t pid) {
  std::string stat = readSmall("/proc/" + std::to_string(pid) + "/stat");
  std::size_t close = stat.rfind(')');
  if (close == std::string::npos || close + 4 >= stat.size()) return 0;
  pid_t parent = 0;
  std::from_chars(stat.data() + close + 4, stat.data() + stat.size(), parent);
  return parent;
}

// /proc/…/children needs a kernel option, and is only exact for stopped processes: /proc itself is always right.
std::vector<pid_t> descendants() {
  std::unordered_map<pid_t, std::vector<pid_t>> children;
  for (pid_t pid : numberedEntries("/proc")) children[parentOf(pid)].push_back(pid);
  std::vector<pid_t> found = children[::getpid()];
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::vector<pid_t> below = children[found[i]];
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

bool hasChildren() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

void becomeSubreaper() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool killDescendants(std::chrono::milliseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (hasChildren()) {
    for (pid_t pid : descendants()) ::kill(pid, SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (!hasChildren()) break;
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 1);  // killed processes take a moment to end; orphans appear only then
  }
  return true;
}

}  // namespace pilotlight::shim
