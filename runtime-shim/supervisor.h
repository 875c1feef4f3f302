// Runtime `native`, in PID 1: holds the listening socket and keeps pilotlight-native-host running on it. While the host is
// down, its place on the socket is taken by a server that refuses everything as `starting`; or, when the host has ended because it
// was parked, as `parked`, until that server is told to light it again. Loop thread only.
#pragma once

#include <memory>

#include "runtime-shim/function_server.h"
#include "runtime-shim/supervised_process.h"

namespace pilotlight::shim {

class Supervisor final : public net::Pollable {
 public:
  Supervisor(net::Loop& loop, const Config& config, net::Fd listener, Children& children, Metrics& metrics, const Log& log);
  ~Supervisor();

  void start();
  /// Passes the wish to drain on to the host; a second time: ends at once. The loop stops when the host has ended.
  void terminate();
  int exitCode() const { return process_.exitCode(); }  ///< of the shim, once the loop has stopped
  void signal(int number) { process_.signal(number); }
  void onReady(std::uint32_t events) override;  ///< what the host says about its readiness

 private:
  class Down;

  std::expected<pid_t, std::string> spawnHost();
  void onStarted();
  void onEnded();
  void standIn(bool parked);
  void light();
  void relay(std::string_view text);

  net::Loop& loop_;
  const Config& config_;
  const net::Fd listener_;
  Metrics& metrics_;
  const Log& log_;
  const std::vector<std::string> environment_;
  net::Fd statusRead_, statusWrite_;
  bool hostReady_ = false;
  bool terminating_ = false;
  bool lighting_ = false;
  std::unique_ptr<Down> down_;  // serves while the host is down, and until its last connection has ended
  std::uint64_t downs_ = 0;     // how many there were
  SupervisedProcess process_;
};

}  // namespace pilotlight::shim
