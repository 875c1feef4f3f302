// A Pod's status as the kubelet writes it. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/local/spawn.h"
#include "kube/types.h"

namespace pilotlight::local {

/// What the runner knows of a Pod. Times are RFC 3339; empty: not yet.
struct PodObservation {
  std::string phase = "Pending";
  std::string reason, message;  ///< of the whole Pod: OutOfpods
  std::string container, image;
  std::string ip;
  std::string startTime;
  bool started = false;
  bool ready = false;
  std::string readySince;  ///< the last change of `ready`
  int restarts = 0;
  kube::Json state, lastState;  ///< of the container; null: none
};

kube::Json waitingState(const std::string& reason, const std::string& message);
kube::Json runningState(const std::string& startedAt);
/// `output`: the last lines that the process wrote, or why it could not start.
kube::Json terminatedState(const ExitStatus& exit, const std::string& startedAt, const std::string& finishedAt, const std::string& output);

/// As a merge patch of the status: members that are gone are null.
kube::Json podStatus(const PodObservation& pod);

/// The end of a process' output, bounded for a status message (2 KiB and 10 lines: the kubelet's FallbackToLogsOnError, shorter).
class OutputTail {
 public:
  void add(std::string_view line);
  std::string text() const;
  void clear() { text_.clear(); }

 private:
  std::string text_;
};

}  // namespace pilotlight::local
