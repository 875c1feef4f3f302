#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "cli/deadline.h"
#include "cli/files.h"

namespace pilotlight::cli {

namespace {

using kube::Object;

constexpr std::chrono::milliseconds kPoll{300};

Object conditionOf(const Object& function, std::string_view type) {
  const auto* conditions = function.at("/status/conditions");
  if (conditions == nullptr || !conditions->is_array()) return Object(kube::Json::object());
  for (const auto& each : *conditions) {
    Object condition(each);
    if (condition.stringAt("/type") == type) return condition;
  }
  return Object(kube::Json::object());
}

std::string told(const Object& condition) {
  const auto& message = condition.stringAt("/message");
  return condition.stringAt("/reason") + (message.empty() ? "" : ": " + message);
}

/// Tells each step once, until the function serves what was applied.
int waitUntilReady(Context& context, kube::Client& client, const Object& applied, const DeployOptions& options, Deadline deadline) {
  Progress last;
  for (;;) {
    const auto now = client.get(kube::resources::functions, applied.key());
    if (!now) return fail(context, now.error());
    Progress progress = progressOf(*now, applied.generation());
    if (progress.state == Progress::State::ready) {
      context.out << fmt::format("function \"{}\" is ready: {}\n", applied.name(), now->stringAt("/status/url")) << std::flush;
      return 0;
    }
    const bool refused = progress.state == Progress::State::refused;
    if (refused || std::chrono::steady_clock::now() >= deadline) {
      fail(context, fmt::format("function \"{}\" is not ready{}: {}\nMore: pilotlight describe fn {} -n {}", applied.name(),
                                refused ? "" : " after " + options.timeout, progress.text, applied.name(), applied.namespace_()));
      return kNotReadyCode;
    }
    if (progress.text != last.text)
      context.out << fmt::format("Waiting for function \"{}\": {}\n", applied.name(), progress.text) << std::flush;
    last = std::move(progress);
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

Progress progressOf(const Object& function, std::int64_t generation) {
  using State = Progress::State;
  if (function.intAt("/status/observedGeneration") < generation) return {State::waiting, "the operator has not taken it up yet"};
  const Object ready = conditionOf(function, "Ready");
  if (ready.stringAt("/reason") == "Invalid") return {State::refused, told(ready)};
  const Object progressing = conditionOf(function, "Progressing");
  const bool isReady = ready.stringAt("/status") == "True";
  const bool served = function.intAt("/status/versions/stable") == function.intAt("/status/versions/latest");
  if (isReady && served) return {State::ready, ""};
  // Of a version that is not served yet, and of one that cannot start, this condition knows the cause.
  return {State::waiting, told(!served || progressing.stringAt("/status") == "False" ? progressing : ready)};
}

int deploy(Context& context, const DeployOptions& options) {
  auto connection = connect(context);
  if (!connection) return 1;
  const auto deadline = deadlineAfter(options.timeout);
  if (!deadline) return fail(context, deadline.error());
  const auto applied = applyFiles(context, *connection, options.files);
  if (applied.code != 0) return applied.code;
  int code = 0;
  for (const auto& object : applied.objects) {
    if (object.stringAt("/kind") != "Function") continue;
    const int outcome = waitUntilReady(context, *connection->client, object, options, *deadline);
    if (outcome != 0) code = outcome;
  }
  return code;
}

}  // namespace pilotlight::cli
