#include "cli/state_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace pilotlight::cli {

namespace fs = std::filesystem;

namespace {

std::string homeFolder(const Environment& environment) {
  if (auto home = environment("HOME"); !home.empty()) return home;
  const passwd* user = ::getpwuid(::getuid());
  return user != nullptr && user->pw_dir != nullptr ? user->pw_dir : "/tmp";
}

std::string readPid(int fd) {
  char text[32] = {};
  const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
  std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  pid.erase(pid.find_last_not_of(" \n") + 1);
  return pid.empty() ? "unknown" : pid;
}

bool writeAll(int fd, const std::string& content) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t size = ::write(fd, content.data() + done, content.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    done += static_cast<std::size_t>(size);
  }
  return true;
}

}  // namespace

std::string processEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path stateDirPath(const std::string& flag, const Environment& environment) {
  if (!flag.empty()) return fs::absolute(flag);
  if (auto home = environment("PILOTLIGHT_HOME"); !home.empty()) return fs::absolute(home);
  if (auto state = environment("XDG_STATE_HOME"); !state.empty()) return fs::path(state) / "pilotlight";
  return fs::path(homeFolder(environment)) / ".local" / "state" / "pilotlight";
}

std::expected<StateDir, std::string> StateDir::open(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return std::unexpected(fmt::format("create state folder {}: {}", path.string(), error.message()));
  if (::chmod(path.c_str(), 0700) != 0) return std::unexpected(fmt::format("chmod 0700 {}: {}", path.string(), std::strerror(errno)));
  const fs::path file = path / "lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return std::unexpected(fmt::format("open {}: {}", file.string(), std::strerror(errno)));
  StateDir dir(path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return std::unexpected(fmt::format("another instance (pid {}) uses {}: stop it, or give this one a folder of its own with --state-dir",
                                       readPid(fd), path.string()));
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return std::unexpected(fmt::format("write {}: {}", file.string(), std::strerror(errno)));
  }
  return dir;
}

StateDir::StateDir(StateDir&& other) noexcept : path_(std::move(other.path_)), lock_(other.lock_) {
  other.lock_ = -1;
}

StateDir::~StateDir() {
  if (lock_ >= 0) ::close(lock_);
}

std::expected<void, std::string> writePrivateFile(const fs::path& path, const std::string& content) {
  const std::string temporary = path.string() + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return std::unexpected(fmt::format("open {}: {}", temporary, std::strerror(errno)));
  const bool written = ::fchmod(fd, 0600) == 0 && writeAll(fd, content);
  if (::close(fd) != 0 || !written || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return std::unexpected(fmt::format("write {}: {}", path.string(), std::strerror(errno)));
  }
  return {};
}

}  // namespace pilotlight::cli
