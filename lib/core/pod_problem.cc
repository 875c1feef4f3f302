#include "core/pod_problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace pilotlight::core {

namespace {

using Json = nlohmann::json;

// A container waits for many good reasons while it starts; any other reason is trouble.
bool isStart(std::string_view reason) {
  return reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
}

// Those that heal when an object appears or a node has room are worth waiting for.
bool isBackedOff(std::string_view reason) {
  static constexpr std::array<std::string_view, 5> kReasons{"CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
                                                            "CreateContainerError"};
  return std::ranges::find(kReasons, reason) != kReasons.end();
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const Json* at(const Json& object, std::initializer_list<const char*> path) {
  const Json* value = &object;
  for (const char* name : path)
    if (value = member(*value, name); value == nullptr) return nullptr;
  return value;
}

std::string textAt(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

template <class Visit>
void forEach(const Json* list, Visit visit) {
  if (list == nullptr || !list->is_array()) return;
  for (const Json& item : *list) visit(item);
}

/// Null: there is none of this type.
const Json* condition(const Json& pod, std::string_view type) {
  const Json* found = nullptr;
  forEach(at(pod, {"status", "conditions"}), [&](const Json& item) {
    if (textAt(item, "type") == type) found = &item;
  });
  return found;
}

/// The end of it: what was said last tells most. Never begins within a character of UTF-8.
std::string lastOf(std::string text, std::size_t bytes) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.size() <= bytes) return text;
  std::size_t from = text.size() - bytes;
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
  return "…" + text.substr(from);
}

/// What the handler wrote: the kubelet keeps the end of the log of what failed, in which the shim's own lines come last.
std::string handlersLines(std::string_view log) {
  std::string text;
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    if (!line.starts_with(R"({"ts":)")) text.append(line) += '\n';
  }
  return text;
}

/// "exit code 3: last words"; "" when it never ended.
std::string lastEnd(const Json& container) {
  const Json* ended = at(container, {"state", "terminated"});
  if (ended == nullptr) ended = at(container, {"lastState", "terminated"});
  if (ended == nullptr) return "";
  const Json* code = member(*ended, "exitCode");
  std::string text = fmt::format("exit code {}", code != nullptr && code->is_number_integer() ? code->get<int>() : 0);
  if (const std::string reason = textAt(*ended, "reason"); !reason.empty() && reason != "Error" && reason != "Completed")
    text += ", " + reason;
  if (const std::string said = lastOf(handlersLines(textAt(*ended, "message")), kProblemBytes / 2); !said.empty()) text += ": " + said;
  return text;
}

PodProblem containerProblem(const Json& container) {
  const Json* waiting = at(container, {"state", "waiting"});
  std::string reason = waiting != nullptr ? textAt(*waiting, "reason") : "";
  const std::string end = lastEnd(container);
  if (isStart(reason)) {
    // It has ended and is to be started again at once.
    const Json* code = at(container, {"state", "terminated", "exitCode"});
    if (code == nullptr || *code == 0) return {};
    return {"Error", end, false};
  }
  std::string said = waiting != nullptr ? lastOf(textAt(*waiting, "message"), kProblemBytes / 2) : "";
  if (!end.empty()) said = end + (said.empty() ? "" : "; ") + said;
  const bool backedOff = isBackedOff(reason);
  return {std::move(reason), std::move(said), backedOff};
}

}  // namespace

bool podConditionIsTrue(const Json& pod, std::string_view type) {
  const Json* found = condition(pod, type);
  return found != nullptr && textAt(*found, "status") == "True";
}

PodProblem podProblem(const Json& pod) {
  if (podConditionIsTrue(pod, "Ready")) return {};
  PodProblem problem;
  for (const char* statuses : {"initContainerStatuses", "containerStatuses"})
    forEach(at(pod, {"status", statuses}), [&](const Json& container) {
      const bool initDone =
          at(container, {"state", "terminated", "exitCode"}) != nullptr && *at(container, {"state", "terminated", "exitCode"}) == 0;
      if (!problem && !initDone) problem = containerProblem(container);
    });
  if (problem) return problem;
  const Json* scheduled = condition(pod, "PodScheduled");
  if (scheduled != nullptr && textAt(*scheduled, "reason") == "Unschedulable")
    return {"Unschedulable", textAt(*scheduled, "message"), false};
  return {};
}

std::string podsRefused(const Json& deployment) {
  const Json* failure = condition(deployment, "ReplicaFailure");
  return failure != nullptr && textAt(*failure, "status") == "True" ? lastOf(textAt(*failure, "message"), kProblemBytes) : "";
}

bool runsUnready(const Json& pod) {
  if (podConditionIsTrue(pod, "Ready") || podProblem(pod)) return false;
  bool runs = false;
  forEach(at(pod, {"status", "containerStatuses"}), [&](const Json& container) { runs |= at(container, {"state", "running"}) != nullptr; });
  return runs;
}

}  // namespace pilotlight::core
