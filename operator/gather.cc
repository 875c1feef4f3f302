#include "operator/gather.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/pod_problem.h"

namespace pilotlight::op {

namespace {

std::int64_t versionOf(const kube::Object& object) {
  const std::string& label = object.label(api::kLabelVersion);
  std::int64_t number = 0;
  std::from_chars(label.data(), label.data() + label.size(), number);
  return number;
}

std::string textAt(const kube::Json& json, const char* field) {
  const auto it = json.find(field);
  return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

// Nothing of it has run: with volumes still to be mounted, the kubelet starts no container.
bool isWaiting(const kube::Object& pod) {
  const auto waits = [&pod](const char* containers) {
    const auto* first = pod.at(std::string(containers) + "/0");
    return first == nullptr || (first->contains("state") && (*first)["state"].contains("waiting"));
  };
  return waits("/status/initContainerStatuses") && waits("/status/containerStatuses");
}

}  // namespace

std::int64_t restartCount(const kube::Object& pod) {
  const auto* statuses = pod.at("/status/containerStatuses");
  if (statuses != nullptr && statuses->is_array()) {
    for (const auto& status : *statuses) {
      if (textAt(status, "name") == core::kFunctionContainer) {
        return status.value("restartCount", std::int64_t{0});
      }
    }
  }
  return 0;
}

core::PodState podState(const kube::Object& pod, const std::string& mountFailure) {
  core::PodProblem problem = core::podProblem(pod.json());
  if (!problem && !mountFailure.empty() && isWaiting(pod)) {
    problem = {.reason = "FailedMount", .message = mountFailure};
  }
  return {.name = pod.name(),
          .version = versionOf(pod),
          .ready = core::podConditionIsTrue(pod.json(), "Ready"),
          .parked = pod.annotation(api::kAnnotationParked) == std::to_string(restartCount(pod)),
          .deleting = pod.deleting(),
          .problem = std::move(problem.reason),
          .problemMessage = std::move(problem.message),
          .runsUnready = core::runsUnready(pod.json())};
}

core::DeploymentState deploymentState(const kube::Object& deployment) {
  // An absent count means 1 to Kubernetes.
  return {.name = deployment.name(),
          .version = versionOf(deployment),
          .replicas = static_cast<int>(deployment.intAt("/spec/replicas", 1)),
          .cantMakePods = core::podsRefused(deployment.json())};
}

bool controlledBy(const kube::Object& object, const std::string& uid) {
  const auto* owners = object.at("/metadata/ownerReferences");
  if (owners == nullptr || !owners->is_array()) {
    return false;
  }
  return std::ranges::any_of(*owners,
                             [&](const kube::Json& owner) { return textAt(owner, "uid") == uid && owner.value("controller", false); });
}

std::expected<Gathered, api::FieldErrors> Gatherer::gather(const kube::Object& function) const {
  auto parsed = api::readFunction(function.json());
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  Gathered gathered;
  gathered.function = function;
  gathered.observed.function = std::move(*parsed);
  const kube::Key key = function.key();
  gatherOwned(key, gathered);
  gatherSources(key, gathered);
  gatherRoute(key, gathered);
  if (gateways_ != nullptr) {
    gathered.observed.gateways = gateways_->names();
  }
  return gathered;
}

void Gatherer::gatherOwned(const kube::Key& key, Gathered& into) const {
  const std::string& uid = into.function.uid();
  for (auto& object : caches_.ownedBy(caches_.versions, key)) {
    if (!controlledBy(object, uid) || object.deleting()) {
      continue;  // of an earlier Function of this name: the garbage collector takes it
    }
    if (auto version = api::readFunctionVersion(object.json())) {
      into.observed.versions.push_back(std::move(*version));
      into.versions.emplace(object.name(), std::move(object));
    } else {
      log_.error("version is unreadable", {{"version", object.key().toString()}, {"error", api::toString(version.error())}});
    }
  }
  for (auto& object : caches_.ownedBy(caches_.deployments, key)) {
    if (controlledBy(object, uid) && !object.deleting()) {
      into.observed.deployments.push_back(deploymentState(object));
      into.deployments.emplace(object.name(), std::move(object));
    }
  }
  for (const auto& object : caches_.ownedBy(caches_.pods, key)) {
    into.observed.pods.push_back(podState(object, mountFailures_.of(object.uid())));
  }
  // The caches have no order; decisions and messages have.
  std::ranges::sort(into.observed.pods, {}, &core::PodState::name);
  std::ranges::sort(into.observed.deployments, {}, &core::DeploymentState::name);
  const auto ours = [&uid](const kube::Object& object) { return object && controlledBy(object, uid) ? object : kube::Object{}; };
  into.service = ours(caches_.services.store().get(key));
  const kube::Key named{key.namespace_, core::ownedName(into.observed.function)};
  into.serviceAccount = ours(caches_.serviceAccounts.store().get(named));
  into.networkPolicy = ours(caches_.networkPolicies.store().get(named));
  into.disruptionBudget = ours(caches_.disruptionBudgets.store().get(named));
}

// Of the version that serves as well, which may name others than the Function does now.
void Gatherer::gatherSources(const kube::Key& key, Gathered& into) const {
  auto sources = core::sourcesOf(into.observed.function.spec);
  for (const auto& version : into.observed.versions) {
    std::ranges::move(core::envSourcesOf(version.spec), std::back_inserter(sources));
  }
  into.observed.sources = sources_.view(key.namespace_, sources);
}

void Gatherer::gatherRoute(const kube::Key& key, Gathered& into) const {
  const kube::Object object = caches_.routes.store().get(key);
  if (object && controlledBy(object, into.function.uid()) && !object.deleting()) {
    if (auto route = api::readFunctionRoute(object.json())) {
      into.observed.route = std::move(*route);
      into.route = object;
    } else {
      log_.error("route is unreadable", {{"route", key.toString()}, {"error", api::toString(route.error())}});
    }
  }
  into.observed.conflict = caches_.conflictOf(key, core::renderRoute(into.observed.function, {}, options_.render).spec);
}

}  // namespace pilotlight::op
