#include "core/plan_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/api.h"
#include "core/conditions.h"

namespace pilotlight::core {

namespace {

using Time = std::chrono::system_clock::time_point;

constexpr const char* kAtZero = "AtZero";
constexpr const char* kInvalid = "Invalid";

api::Condition condition(const char* type, const char* status, std::string reason, std::string message) {
  return {.type = type,
          .status = status,
          .reason = std::move(reason),
          .message = std::move(message),
          .lastTransitionTime = {},
          .observedGeneration = 0};
}

bool isWarm(const PodState& pod) {
  return pod.ready && !pod.parked && !pod.deleting;
}
bool isParked(const PodState& pod) {
  return pod.parked && !pod.deleting;
}

const PodState* troubled(const Observed& observed, std::int64_t version) {
  const auto it = std::ranges::find_if(observed.pods, [version](const PodState& pod) {
    return pod.version == version && !pod.ready && !pod.deleting && !pod.problem.empty();
  });
  return it == observed.pods.end() ? nullptr : &*it;
}

api::Condition sourceMissing(const Source& source, const Observed& observed) {
  const bool secret = source.kind == SourceKind::secret;
  return condition(kConditionProgressing, "False", secret ? "SecretNotFound" : "ConfigMapNotFound",
                   fmt::format("{}, which spec.{} names, is not there: create it in namespace {}", toString(source),
                               secret ? "secrets" : "config", observed.function.metadata.namespace_));
}

api::Condition podTrouble(const PodState& pod, const Observed& observed) {
  if (const auto missing = missingSource(pod.problemMessage)) {
    return sourceMissing(*missing, observed);
  }
  return condition(kConditionProgressing, "False", pod.problem,
                   fmt::format("version {}: pod {}: {}", pod.version, pod.name, pod.problemMessage));
}

std::string listed(const std::vector<Source>& sources) {
  std::string names;
  for (const Source& source : sources) {
    names += (names.empty() ? "" : ", ") + toString(source);
  }
  return names;
}

// nullopt: it is not to be there.
std::optional<api::Condition> sourcesWatched(const Observed& observed) {
  const auto& function = observed.function;
  const auto sources = envSourcesOf(renderVersion(function, 0).spec);
  if (sources.empty()) {
    return std::nullopt;
  }
  switch (observed.sources.sight) {
    case SourceView::Sight::clear:
      return condition(kConditionSourcesWatched, "True", "Watched", fmt::format("replicas are replaced when {} changes", listed(sources)));
    case SourceView::Sight::notYet:
      if (const auto* known = findCondition(function.status.conditions, kConditionSourcesWatched)) {
        return *known;
      }
      return condition(
          kConditionSourcesWatched, "Unknown", "NotListedYet",
          fmt::format("the operator has not seen the Secrets and ConfigMaps of namespace {} yet: may it?", function.metadata.namespace_));
    case SourceView::Sight::none:
      break;
  }
  return condition(kConditionSourcesWatched, "False", "NotWatched",
                   fmt::format("a change of {} reaches replicas that start after it: the operator does not watch namespace {} (see the "
                               "chart's sourceWatch)",
                               listed(sources), function.metadata.namespace_));
}

const PodState* silent(const Observed& observed, std::int64_t version) {
  const auto it = std::ranges::find_if(
      observed.pods, [version](const PodState& pod) { return pod.version == version && pod.runsUnready && !pod.deleting; });
  return it == observed.pods.end() ? nullptr : &*it;
}

std::string cantMakePods(const Observed& observed, std::int64_t version) {
  const auto it = std::ranges::find(observed.deployments, version, &DeploymentState::version);
  return it == observed.deployments.end() ? "" : it->cantMakePods;
}

api::Condition progressing(const Observed& observed, const Serving& at) {
  const int ready = readyOf(observed, at.target);
  const int replicas = replicasOf(observed, at.target);
  const bool shifted = at.serving == at.target;
  if (const auto* pod = troubled(observed, at.target); pod != nullptr && (!shifted || ready + parkedOf(observed, at.target) < replicas)) {
    return podTrouble(*pod, observed);
  }
  if (const auto missing = missingSource(sourcesOf(observed.function.spec), observed.sources)) {
    return sourceMissing(*missing, observed);
  }
  if (const std::string why = cantMakePods(observed, at.target); !why.empty() && ready + parkedOf(observed, at.target) < replicas) {
    return condition(kConditionProgressing, "False", "FailedCreate", fmt::format("version {}: {}", at.target, why));
  }
  if (const auto* pod = silent(observed, at.target); pod != nullptr && ready + parkedOf(observed, at.target) == 0) {
    return condition(kConditionProgressing, "True", "NotListening",
                     fmt::format("version {}: pod {} runs, but its handler does not listen yet", at.target, pod->name));
  }
  if (!shifted) {
    return condition(
        kConditionProgressing, "True", "BringingUp",
        fmt::format("version {}: {} of {} replicas are ready; version {} serves", at.target, ready, std::max(replicas, 1), at.serving));
  }
  if (!at.settled) {
    return condition(kConditionProgressing, "True", "ShiftingTraffic", fmt::format("traffic goes to version {}", at.serving));
  }
  return condition(kConditionProgressing, "True", "Complete", fmt::format("version {} serves", at.serving));
}

std::string laggards(const api::FunctionRoute& route) {
  std::string names;
  for (const auto& ack : route.status.gateways) {
    if (ack.observedGeneration < route.metadata.generation) {
      names += (names.empty() ? "" : ", ") + ack.gateway;
    }
  }
  return names.empty() ? "a gateway" : names;
}

api::Condition routeReady(const Observed& observed, const Serving& at) {
  if (observed.conflict) {
    return condition(kConditionRouteReady, "False", observed.conflict->reason, observed.conflict->message);
  }
  if (!at.settled) {
    return condition(kConditionRouteReady, "False", "WaitingForGateways",
                     fmt::format("waiting for {} to take up the route", observed.route ? laggards(*observed.route) : "a gateway"));
  }
  return condition(kConditionRouteReady, "True", "Acknowledged", "every gateway serves the current route");
}

api::Condition scaled(const Observed& observed, const Serving& at, bool initialReached) {
  const int replicas = at.off ? 0 : replicasOf(observed, at.serving);
  const int ready = readyOf(observed, at.serving);
  const int parked = parkedOf(observed, at.serving);
  if (!initialReached) {
    return condition(kConditionScaled, "False", "InitialScale",
                     fmt::format("{} of {} initial replicas are ready", ready, observed.function.spec.scale.initial));
  }
  if (replicas == 0) {
    return condition(kConditionScaled, "True", kAtZero, at.off ? "pinned to 0 replicas" : "a request starts a replica");
  }
  const std::string beside = parked > 0 ? fmt::format(", {} parked", parked) : "";
  if (ready + parked < replicas) {
    return condition(kConditionScaled, "False", "Scaling", fmt::format("{} of {} replicas are ready{}", ready, replicas, beside));
  }
  return condition(kConditionScaled, "True", "AtTarget", fmt::format("{} replicas are ready{}", ready, beside));
}

api::Condition ready(const api::Condition& route, const api::Condition& progress, const api::Condition& scale, bool initialReached) {
  const auto* cause = route.status != "True" ? &route : nullptr;
  if (cause == nullptr && !initialReached) {
    cause = progress.status == "False" ? &progress : &scale;
  }
  if (cause == nullptr) {
    return condition(kConditionReady, "True", "Ready", "requests are served");
  }
  return condition(kConditionReady, "False", cause->reason, cause->message);
}

}  // namespace

int replicasOf(const Observed& observed, std::int64_t version) {
  const auto it = std::ranges::find(observed.deployments, version, &DeploymentState::version);
  return it == observed.deployments.end() ? 0 : it->replicas;
}

int readyOf(const Observed& observed, std::int64_t version) {
  return static_cast<int>(
      std::ranges::count_if(observed.pods, [version](const PodState& pod) { return pod.version == version && isWarm(pod); }));
}

int parkedOf(const Observed& observed, std::int64_t version) {
  return static_cast<int>(
      std::ranges::count_if(observed.pods, [version](const PodState& pod) { return pod.version == version && isParked(pod); }));
}

bool initialScaleReached(const Observed& observed) {
  const auto& spec = observed.function.spec;
  const int wanted = std::min(spec.scale.initial, spec.replicas.value_or(spec.scale.max));
  const auto ready = std::ranges::count_if(observed.pods, isWarm);
  return observed.function.status.initialScaleReached || ready >= wanted;
}

bool sameRoute(const api::FunctionRoute& a, const api::FunctionRoute& b) {
  return api::write(a)["spec"] == api::write(b)["spec"];
}

api::FunctionStatus statusOf(const Observed& observed, const Serving& at, const api::FunctionRoute& route, const RenderOptions& options,
                             Time now) {
  const auto& function = observed.function;
  api::FunctionStatus status = function.status;
  status.observedGeneration = function.metadata.generation;
  status.url = urlOf(function, options);
  status.versions = {.stable = at.serving, .latest = at.target};
  status.traffic.clear();
  for (const auto& backend : route.spec.backends) {
    status.traffic.push_back({backend.version, backend.weight});
  }
  status.replicas = static_cast<int>(std::ranges::count(observed.pods, false, &PodState::deleting));
  status.readyReplicas = static_cast<int>(std::ranges::count_if(observed.pods, isWarm));
  status.parkedReplicas = static_cast<int>(std::ranges::count_if(observed.pods, isParked));
  status.selector = std::string(api::kLabelFunction) + "=" + function.metadata.name;
  status.initialScaleReached = initialScaleReached(observed);
  status.shim = !options.copyShim ? "" : shimInImage(function.spec.pod, options) ? "image" : "copied";

  const api::Condition progress = progressing(observed, at);
  const api::Condition routed = routeReady(observed, at);
  const api::Condition scale = scaled(observed, at, status.initialScaleReached);
  for (api::Condition each : {ready(routed, progress, scale, status.initialScaleReached), progress, routed, scale}) {
    each.observedGeneration = function.metadata.generation;
    setCondition(status.conditions, std::move(each), now);
  }
  std::optional<api::Condition> watched = sourcesWatched(observed);
  if (watched) {
    watched->observedGeneration = function.metadata.generation;
    setCondition(status.conditions, *std::move(watched), now);
  } else {
    std::erase_if(status.conditions, [](const api::Condition& each) { return each.type == kConditionSourcesWatched; });
  }
  return status;
}

api::FunctionStatus invalidStatus(const api::FunctionStatus& before, std::int64_t generation, const std::string& message, Time now) {
  api::FunctionStatus status = before;
  status.observedGeneration = generation;
  api::Condition invalid = condition(kConditionReady, "False", kInvalid, message);
  invalid.observedGeneration = generation;
  setCondition(status.conditions, std::move(invalid), now);
  return status;
}

api::FunctionStatus refusedStatus(const api::FunctionStatus& before, std::int64_t generation, const std::string& message, Time now) {
  api::FunctionStatus status = before;
  status.observedGeneration = generation;
  const auto refuse = [&](const char* type) {
    api::Condition refused = condition(type, "False", "NotApplied", message);
    refused.observedGeneration = generation;
    setCondition(status.conditions, std::move(refused), now);
  };
  refuse(kConditionProgressing);
  const auto* ready = findCondition(before.conditions, kConditionReady);
  if (ready == nullptr || ready->status != "True") {  // what serves goes on
    refuse(kConditionReady);
  }
  return status;
}

std::vector<PlannedEvent> eventsBetween(const api::FunctionStatus& before, const api::FunctionStatus& after) {
  std::vector<PlannedEvent> events;
  const auto* readyNow = findCondition(after.conditions, kConditionReady);
  if (readyNow != nullptr && readyNow->reason == kInvalid && reasonChanged(before.conditions, after.conditions, kConditionReady)) {
    events.push_back({true, kInvalid, readyNow->message});
  }
  if (after.versions.latest > before.versions.latest) {
    events.push_back({false, "VersionCreated", fmt::format("version {} was made", after.versions.latest)});
  }
  if (before.versions.stable != 0 && before.versions.stable != after.versions.stable) {
    events.push_back({false, "TrafficShifted",
                      fmt::format("traffic goes to version {}, before to version {}", after.versions.stable, before.versions.stable)});
  }
  const auto* scaleBefore = findCondition(before.conditions, kConditionScaled);
  const auto* scaleAfter = findCondition(after.conditions, kConditionScaled);
  if (scaleBefore != nullptr && scaleAfter != nullptr && scaleBefore->reason != scaleAfter->reason) {
    if (scaleAfter->reason == kAtZero) {
      events.push_back({false, "ScaledToZero", "no replica runs any more"});
    } else if (scaleBefore->reason == kAtZero) {
      events.push_back({false, "ScaledFromZero", scaleAfter->message});
    }
  }
  for (const char* type : {kConditionRouteReady, kConditionProgressing}) {
    const auto* now = findCondition(after.conditions, type);
    if (now != nullptr && now->status == "False" && now->reason != "WaitingForGateways" &&
        reasonChanged(before.conditions, after.conditions, type)) {
      events.push_back({true, now->reason, now->message});
    }
  }
  return events;
}

}  // namespace pilotlight::core
