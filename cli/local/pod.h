// One Pod as a process: what the kubelet does for a pod of one container.
// Thread-safety: loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/local/address_pool.h"
#include "cli/local/line_reader.h"
#include "cli/local/pod_env.h"
#include "cli/local/pod_status.h"
#include "cli/local/process_runner.h"
#include "cli/local/spawn.h"
#include "net/loop.h"

namespace pilotlight::local {

class Pod;

/// What all Pods of a runner share. Outlives them.
struct PodContext {
  kube::Client& client;
  LogStore& logs;
  const ProcessRunnerOptions& options;
  net::Loop& loop;
  AddressPool addresses;
  PortPool ports;
  std::function<void(Pod&)> onProcess;  ///< a process has started or ended
  std::function<void(Pod&)> onOver;     ///< the last callback: nothing of the Pod is left
  std::filesystem::path folderOf(const std::string& uid) const;
  /// One JSON line; `fields` is an object.
  void log(const char* level, const char* message, kube::Json fields) const;
};

class Pod final : private net::Pollable {
 public:
  Pod(PodContext& context, kube::Object object);
  ~Pod();
  Pod(const Pod&) = delete;

  void start();                                  ///< there is room: run it
  void waitForRoom(int used);                    ///< there is none: Pending, OutOfpods
  void update(const kube::Object& object);       ///< the API's Pod has changed
  void sourceChanged(const SourceName& source);  ///< a Secret or ConfigMap has changed
  void vanished();                               ///< the API's Pod is gone: so is the process, at once
  void shutDown();                               ///< SIGTERM; the API's Pod stays
  void kill();                                   ///< SIGKILL to everything of it

  bool alive() const { return process_ != nullptr; }
  pid_t pid() const;  ///< of its process, also when that has ended and is not yet reaped; -1: none
  bool waitsForRoom() const { return !hasRoom_ && state_ == State::waitingForRoom; }
  bool hasRoom() const { return hasRoom_; }
  const std::string& uid() const { return object_.uid(); }
  kube::Key key() const { return object_.key(); }

 private:
  enum class State {
    waitingForRoom,
    waitingForConfig,  ///< a Secret, a ConfigMap or a key is missing
    backingOff,        ///< the timer restarts it
    running,
    finished,  ///< ended for good by its restartPolicy
    stopping,  ///< asked to end; no restart
    removing,  ///< the process has ended; the API's Pod goes next
    over,
  };
  /// What remains to be done when the process has ended.
  enum class Ending { none, removeObject, objectGone, shutDown };

  struct Running;  // the process and the readers of its pipes

  void launch();
  std::expected<Command, std::string> prepare();
  std::vector<std::string> environment(Variables variables);
  std::expected<void, std::string> ensureAddress();
  std::expected<void, std::string> ensurePort(Variables& variables);
  void begin(Process process);
  void onReady(std::uint32_t events) override;  // the pidfd
  void onOutput(bool isStderr, std::string_view line);
  void onReadiness(std::string_view line);
  void ended(const ExitStatus& exit);
  void restartLater(const std::string& reason, const std::string& message);
  void failConfig(const std::string& message);
  void stop(Ending ending);
  void afterEnd();
  void removeObject();
  void finishOver();
  void setReady(bool ready);
  void publish();

  PodContext& context_;
  kube::Object object_;
  const kube::Json container_;
  const kube::Key logKey_;
  PodSources sources_;
  PodObservation observed_;
  kube::Json written_;  // the status as last written
  State state_ = State::waitingForRoom;
  bool hasRoom_ = false;
  Ending ending_ = Ending::none;
  std::optional<AddressLease> address_;
  std::optional<std::uint16_t> port_;
  std::unique_ptr<Running> process_;
  OutputTail tail_;
  int crashes_ = 0;  // since it last ran for long
  net::Clock::time_point startedAt_;
  net::Clock::time_point killAt_;
  net::Timer restart_, killer_, retryPublish_, retryRemove_;
};

}  // namespace pilotlight::local
