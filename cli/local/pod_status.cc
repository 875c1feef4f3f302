#include "cli/local/pod_status.h"

#include "cli/local/json_read.h"

namespace pilotlight::local {

using kube::Json;

namespace {

constexpr std::size_t kTailBytes = 2048;
constexpr int kTailLines = 10;

Json condition(const char* type, bool status, const std::string& since) {
  return {{"type", type}, {"status", status ? "True" : "False"}, {"lastTransitionTime", since}};
}

Json readiness(const char* type, const PodObservation& pod) {
  Json out = condition(type, pod.ready, pod.readySince);
  if (pod.ready) return out;
  out["reason"] = "ContainersNotReady";
  out["message"] = "containers with unready status: [" + pod.container + "]";
  return out;
}

Json orNull(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

}  // namespace

Json waitingState(const std::string& reason, const std::string& message) {
  Json waiting = {{"reason", reason}};
  if (!message.empty()) waiting["message"] = safeText(message);
  return {{"waiting", std::move(waiting)}};
}

Json runningState(const std::string& startedAt) {
  return {{"running", {{"startedAt", startedAt}}}};
}

Json terminatedState(const ExitStatus& exit, const std::string& startedAt, const std::string& finishedAt, const std::string& output) {
  Json terminated = {{"exitCode", exit.code}, {"reason", exit.code == 0 ? "Completed" : "Error"}, {"finishedAt", finishedAt}};
  if (exit.signal != 0) terminated["signal"] = exit.signal;
  if (!startedAt.empty()) terminated["startedAt"] = startedAt;
  if (!output.empty()) terminated["message"] = safeText(output);
  return {{"terminated", std::move(terminated)}};
}

Json podStatus(const PodObservation& pod) {
  Json container = {{"name", pod.container},
                    {"image", pod.image},
                    {"imageID", ""},
                    {"ready", pod.ready},
                    {"started", pod.started},
                    {"restartCount", pod.restarts},
                    {"state", pod.state.is_null() ? waitingState("ContainerCreating", "") : pod.state}};
  container["lastState"] = pod.lastState.is_null() ? Json::object() : pod.lastState;
  Json status = {{"phase", pod.phase},
                 {"reason", orNull(pod.reason)},
                 {"message", orNull(pod.message)},
                 {"hostIP", "127.0.0.1"},
                 {"startTime", pod.startTime},
                 {"podIP", orNull(pod.ip)},
                 {"containerStatuses", Json::array({std::move(container)})}};
  status["podIPs"] = pod.ip.empty() ? Json() : Json::array({{{"ip", pod.ip}}});
  status["conditions"] = Json::array({condition("PodScheduled", true, pod.startTime), condition("Initialized", true, pod.startTime),
                                      readiness("ContainersReady", pod), readiness("Ready", pod)});
  return status;
}

void OutputTail::add(std::string_view line) {
  text_ += line.substr(0, kTailBytes);
  text_ += '\n';
  if (text_.size() > 4 * kTailBytes) text_.erase(0, text_.size() - 2 * kTailBytes);
}

std::string OutputTail::text() const {
  std::size_t from = text_.size() > kTailBytes ? text_.size() - kTailBytes : 0;
  if (from > 0) {
    const std::size_t next = text_.find('\n', from);
    if (next != std::string::npos && next + 1 < text_.size()) from = next + 1;
  }
  std::string out = text_.substr(from);
  if (!out.empty()) out.pop_back();
  std::size_t at = out.size();
  for (int lines = 0; lines < kTailLines; ++lines) {
    at = at == 0 ? std::string::npos : out.rfind('\n', at - 1);
    if (at == std::string::npos) return out;
  }
  return out.substr(at + 1);
}

}  // namespace pilotlight::local
