// The kubelet of `pilotlight local`: runs every Pod as one process of the host, the shim, and writes the Pod's status.
//
// Expected flow: construct, start(), stop(), each once. One thread with an event loop owns all processes, so that they see one
// parent thread for as long as the runner lives (PR_SET_PDEATHSIG counts threads, not processes).
// A Pod gets an address of its own in 127.64.0.0/10 and a folder <stateDir>/pods/<uid>/, where Secrets and ConfigMaps
// are laid out below root/. Its process runs in the folder that the annotation local.pilotlight.dev/workdir names, in a
// session of its own, with a clean environment.
// Thread-safety: start(), stop() from one thread; running() from any.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/local/log_store.h"
#include "kube/client.h"

namespace pilotlight::local {

struct ProcessRunnerOptions {
  std::string shimPath;                                            ///< takes the place of every container's command
  std::string nativeHostPath;                                      ///< PILOTLIGHT_NATIVE_HOST of the processes; may be empty
  std::string stateDir;                                            ///< absolute; made when absent, mode 0700; one runner at a time
  std::string gateways;                                            ///< "ip:port,…": PILOTLIGHT_GATEWAYS where the Pod has none
  std::vector<std::pair<std::string, std::string>> variables{};    ///< further ones, where a Pod has none of the name
  int maxPods = 500;                                               ///< Pods beyond wait as Pending, reason OutOfpods
  std::chrono::milliseconds backoffBase{std::chrono::seconds(1)};  ///< before the second restart; the first is at once
  std::chrono::milliseconds backoffMax{std::chrono::seconds(60)};
  std::chrono::milliseconds backoffReset{std::chrono::seconds(60)};  ///< up for this long: crashes are forgotten
  std::chrono::milliseconds stopGrace{std::chrono::seconds(5)};      ///< stop(): from SIGTERM to SIGKILL
  std::chrono::milliseconds syncTimeout{std::chrono::seconds(10)};
  /// This process has no children but those of the runner. It then becomes the one that the kernel gives orphans to, and
  /// what a killed shim leaves behind, daemons with sessions of their own included, is ended.
  bool endOrphans = false;
  std::function<void(std::string_view line)> log{};  ///< JSON lines about processes, from the runner's thread; empty: none
};

class ProcessRunner {
 public:
  /// `client` and `logs` must outlive the runner.
  ProcessRunner(kube::Client& client, LogStore& logs, ProcessRunnerOptions options);
  ~ProcessRunner();  ///< stops
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;

  /// Removes what an earlier, killed run left in stateDir; returns once the caches have synced. The error says what
  /// could not be done, for instance that another runner uses stateDir.
  std::expected<void, std::string> start();
  /// Ends every process: SIGTERM, after stopGrace SIGKILL to its whole process group. Joins. Idempotent.
  void stop();
  int running() const;  ///< processes alive

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::local
