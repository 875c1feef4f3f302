// Runs the built pilotlight-shim as the tests' subject, and speaks HTTP to it over plain sockets.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::shim::test {

using std::chrono::milliseconds;
inline constexpr milliseconds kPatience{20'000};  ///< the end of every wait; never reached by a test that passes

/// Waits until `condition` holds; false when the patience is over.
bool eventually(const std::function<bool()>& condition, milliseconds patience = kPatience);

struct Response {
  int status = 0;  ///< 0: the connection ended without a complete answer
  std::string head, body;
  /// Empty when absent; `name` in lower case.
  std::string header(const std::string& name) const;
};

class Connection {
 public:
  Connection(const std::string& ip, std::uint16_t port);
  ~Connection() { close(); }
  Connection(Connection&& other) noexcept;
  Connection(const Connection&) = delete;
  bool send(std::string_view text);
  Response receive(bool toHead = false);
  Response request(const std::string& method, const std::string& target, const std::string& body = "", const std::string& headers = "");
  bool closedByPeer();                   ///< waits for it
  bool receives(std::string_view text);  ///< waits for it, among what comes; for answers that are not complete yet
  int fd() const { return fd_; }
  void close();

 private:
  bool fill();
  int fd_ = -1;
  std::string buffer_;
};

struct ShimOptions {
  std::string runtime;
  std::vector<std::string> handler;
  std::map<std::string, std::string> env;
  bool local = true;  ///< with this process as parent
};

/// A running shim on an address of its own. Killed when destroyed.
class Shim {
 public:
  explicit Shim(const ShimOptions& options);
  ~Shim();
  Shim(const Shim&) = delete;

  bool waitReady();  ///< reads the next "ready" from the notice descriptor
  bool waitUnready();
  Connection connect() const { return {ip_, 8012}; }
  Response get(const std::string& target) const { return connect().request("GET", target); }
  double metric(const std::string& name) const;
  void signal(int number) const;
  int waitExit();           ///< the exit code; -1: it was killed or did not end
  std::string log() const;  ///< all it and its handler wrote
  pid_t pid() const { return pid_; }
  const std::string& ip() const { return ip_; }

 private:
  bool waitNotice(std::string_view word);
  std::string ip_, notices_;
  pid_t pid_ = 0;
  int noticeFd_ = -1, logFd_ = -1;
};

std::vector<pid_t> childrenOf(pid_t pid);
bool alive(pid_t pid);  ///< false for zombies
std::string readFile(const std::string& path);

/// The handlers of this folder: a Python HTTP server, and shared libraries.
std::vector<std::string> pythonHandler();
std::string library(const std::string& name);

}  // namespace pilotlight::shim::test
