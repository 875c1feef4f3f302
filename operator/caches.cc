#include "operator/caches.h"

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "core/pod_problem.h"

namespace pilotlight::op {

namespace {

kube::InformerOptions within(const std::string& namespace_) {
  kube::InformerOptions options;
  options.namespace_ = namespace_;
  return options;
}

kube::InformerOptions owned(const std::string& namespace_) {
  kube::InformerOptions options = within(namespace_);
  options.labelSelector = std::string(api::kLabelManagedBy) + "=" + api::kManagedBy;
  options.indexedLabels = {api::kLabelFunction};
  return options;
}

// Of a pod, what podState() and the warmth loop read.
kube::InformerOptions ownedPods(const std::string& namespace_) {
  kube::InformerOptions options = owned(namespace_);
  options.keep = {"/metadata/labels",   "/metadata/annotations",         "/metadata/creationTimestamp", "/status/podIP",
                  "/status/conditions", "/status/initContainerStatuses", "/status/containerStatuses"};
  return options;
}

bool sameAt(const kube::Object& a, const kube::Object& b, std::string_view pointer) {
  const auto* left = a.at(pointer);
  const auto* right = b.at(pointer);
  return left == nullptr || right == nullptr ? left == right : *left == *right;
}

// Everything but status and bookkeeping. Our own writes of a status come back as events too: nothing is to be done then.
bool sameIntent(const kube::Object& a, const kube::Object& b) {
  return a.generation() == b.generation() && a.deleting() == b.deleting() && a.uid() == b.uid() && sameAt(a, b, "/metadata/labels") &&
         sameAt(a, b, "/metadata/annotations") && sameAt(a, b, "/metadata/ownerReferences");
}

}  // namespace

kube::Key functionOf(const kube::Object& object) {
  return {object.namespace_(), object.label(api::kLabelFunction)};
}
core::FunctionId idOf(const kube::Key& key) {
  return {key.namespace_, key.name};
}

Caches::Caches(kube::Client& client, const std::string& namespace_, const Log& log)
    : functions(client, kube::resources::functions, within(namespace_)),
      versions(client, kube::resources::functionVersions, owned(namespace_)),
      routes(client, kube::resources::functionRoutes, within(namespace_)),
      deployments(client, kube::resources::deployments, owned(namespace_)),
      pods(client, kube::resources::pods, ownedPods(namespace_)),
      services(client, kube::resources::services, owned(namespace_)),
      serviceAccounts(client, kube::resources::serviceAccounts, owned(namespace_)),
      networkPolicies(client, kube::resources::networkPolicies, owned(namespace_)),
      disruptionBudgets(client, kube::resources::podDisruptionBudgets, owned(namespace_)),
      log_(log) {
  watchFunctions();
  watchOwned();
  watchRoutes();
}

void Caches::onChange(std::function<void(const kube::Key&)> changed) {
  changed_ = std::move(changed);
}
void Caches::onReplicas(std::function<void(const kube::Key&)> replicas) {
  replicas_ = std::move(replicas);
}

void Caches::watchFunctions() {
  functions.addHandler([this](const kube::Object& before, const kube::Object& after) {
    if (!before || !after || !sameIntent(before, after)) {
      changed_((after ? after : before).key());
    }
  });
}

void Caches::watchOwned() {
  deployments.addHandler([this](const kube::Object& before, const kube::Object& after) {
    if (!before || !after || !sameIntent(before, after) || core::podsRefused(before.json()) != core::podsRefused(after.json())) {
      changed_(functionOf(after ? after : before));
    }
    if (after && after.intAt("/spec/replicas", 1) > 0) {
      replicas_(functionOf(after));
    }
  });
  pods.addHandler([this](const kube::Object& before, const kube::Object& after) { changed_(functionOf(after ? after : before)); });
  // What these look like when new is what the pass that made them already knows.
  const auto made = [this](const kube::Object& before, const kube::Object& after) {
    if (before && (!after || !sameIntent(before, after))) {
      changed_(functionOf(before));
    }
  };
  for (auto* informer : {&versions, &services, &serviceAccounts, &networkPolicies, &disruptionBudgets}) {
    informer->addHandler(made);
  }
}

void Caches::watchRoutes() {
  routes.addHandler([this](const kube::Object& before, const kube::Object& after) { routeChanged(before, after); });
}

void Caches::routeChanged(const kube::Object& before, const kube::Object& after) {
  const kube::Key key = (after ? after : before).key();
  std::vector<core::FunctionId> affected;
  if (!after) {
    const std::scoped_lock lock(claimsMutex_);
    affected = claims_.erase(idOf(key));
  } else if (!before || before.generation() != after.generation() || before.uid() != after.uid()) {
    const auto route = api::readFunctionRoute(after.json());
    if (!route) {
      log_.error("route is unreadable", {{"route", key.toString()}, {"error", api::toString(route.error())}});
      return;
    }
    const std::scoped_lock lock(claimsMutex_);
    affected = claims_.put(idOf(key), route->spec);
  }
  changed_(key);
  for (const auto& other : affected) {
    changed_({other.namespace_, other.name});
  }
}

std::vector<Caches::Named> Caches::all() {
  return {{"functions", &functions},
          {"functionversions", &versions},
          {"functionroutes", &routes},
          {"deployments", &deployments},
          {"pods", &pods},
          {"services", &services},
          {"serviceaccounts", &serviceAccounts},
          {"networkpolicies", &networkPolicies},
          {"poddisruptionbudgets", &disruptionBudgets}};
}

void Caches::forEach(const std::function<void(const char*, const kube::Informer&)>& visit) {
  for (const auto& [name, informer] : all()) {
    visit(name, *informer);
  }
}

void Caches::start() {
  for (const auto& [name, informer] : all()) {
    informer->start();
  }
}

void Caches::stop() {
  for (const auto& [name, informer] : all()) {
    informer->stop();
  }
}

const char* Caches::waitForSync(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (const auto& [name, informer] : all()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (!informer->waitForSync(std::max(left, std::chrono::milliseconds(0)))) {
      return name;
    }
  }
  return nullptr;
}

std::vector<kube::Object> Caches::ownedBy(const kube::Informer& informer, const kube::Key& function) const {
  auto objects = informer.store().byLabel(api::kLabelFunction, function.name);
  std::erase_if(objects, [&](const kube::Object& object) { return object.namespace_() != function.namespace_; });
  return objects;
}

std::optional<core::HostConflict> Caches::conflictOf(const kube::Key& function, const api::FunctionRouteSpec& spec) const {
  const std::scoped_lock lock(claimsMutex_);
  return claims_.conflictOf(idOf(function), spec);
}

}  // namespace pilotlight::op
