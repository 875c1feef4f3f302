// A function's logs on a cluster: each run of each pod's container is one streamed GET of pods/NAME/log, with the user's own
// rights.
//
// Following goes on over ended pods, new pods, restarted containers and cut connections; a line is printed once. New runs
// are found by a watch of the pods. Each run is read by a thread of its own; lines are printed whole, never mixed.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/commands.h"

namespace pilotlight::cli {

struct PodLogsQuery {
  kube::Key function;
  std::string selector;
  LogOptions log;
};

/// What is there now, pod by pod.
int printPodLogs(Context& context, Connection& connection, const PodLogsQuery& query);
/// Until nobody reads the output, or the pods cannot be watched any more.
int followPodLogs(Context& context, Connection& connection, const PodLogsQuery& query);

}  // namespace pilotlight::cli
