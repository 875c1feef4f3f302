// Starting processes, the signals of this one, and the children that end.
#pragma once

#include <sys/types.h>

#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/loop.h"

namespace pilotlight::shim {

/// Vectors of strings as execve() wants them. Points into them, so they must outlive it.
class ArgumentList {
 public:
  explicit ArgumentList(const std::vector<std::string>& items) : ArgumentList(items, {}) {}
  ArgumentList(const std::vector<std::string>& items, const std::vector<std::string>& more);
  explicit ArgumentList(std::vector<std::string>&& items) = delete;
  char* const* data() const { return pointers_.data(); }

 private:
  std::vector<char*> pointers_;
};

struct SpawnRequest {
  struct Redirect {
    int from, to;  ///< equal: the descriptor is inherited under its own number
  };
  const char* path = nullptr;  ///< no search in PATH
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  std::span<const Redirect> descriptors;
  bool ownGroup = true;  ///< leads a new process group, so that all of it can be killed
};

/// Starts a process that dies with this one (SIGKILL), with default signal handling. All descriptors must be
/// close-on-exec except 0, 1, 2; `from` descriptors that differ from `to` must be above 2. The calling thread waits until
/// the program is loaded and must live as long as the child. The error is errno, of execve as well.
std::expected<pid_t, int> spawn(const SpawnRequest& request);

/// `name` if it has a slash, else the first executable of that name in `path` (colon-separated).
std::expected<std::string, std::string> findExecutable(std::string_view name, std::string_view path);

void setCloseOnExec(int fd);
/// "exit code 3", "signal 9"
std::string describeWaitStatus(int status);

/// Delivers signals of this process on the loop, each one once per delivery. One object at a time.
class Signals final : public net::Pollable {
 public:
  Signals(net::Loop& loop, std::initializer_list<int> signals, std::function<void(int signal)> deliver);
  ~Signals();
  void onReady(std::uint32_t events) override;

 private:
  net::Loop& loop_;
  std::vector<int> signals_;
  std::function<void(int)> deliver_;
  int readEnd_ = -1;
};

/// Reaps every child of this process, also those it inherited, and tells the owners of those it started.
/// Loop thread only.
class Children {
 public:
  /// `ended` gets the wait status. If `killGroup`, what is left of the child's group is killed before the child is reaped.
  void add(pid_t child, bool killGroup, std::function<void(int status)> ended);
  /// Forgets the owner; the child is still reaped.
  void disown(pid_t child) { owned_.erase(child); }
  /// To be called on SIGCHLD.
  void reap();

 private:
  struct Owned {
    bool killGroup;
    std::function<void(int)> ended;
  };
  std::unordered_map<pid_t, Owned> owned_;
};

}  // namespace pilotlight::shim
