#include "operator/apply.h"

#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "callhome/signature.h"
#include "core/plan_status.h"
#include "operator/apply_result.h"

namespace pilotlight::op {

namespace resources = kube::resources;

namespace {

// A '/' in a JSON pointer is written ~1.
std::string envSourcesOf(const kube::Object& deployment) {
  std::string key = core::kAnnotationEnvSources;
  key.replace(key.find('/'), 1, "~1");
  return deployment.stringAt("/spec/template/metadata/annotations/" + key);
}

}  // namespace

bool hasAll(const kube::Json& desired, const kube::Json& cached) {
  if (desired.is_object()) {
    return cached.is_object() && std::ranges::all_of(desired.items(), [&](const auto& item) {
             const auto it = cached.find(item.key());
             return it != cached.end() && hasAll(item.value(), *it);
           });
  }
  if (desired.is_array()) {
    return cached.is_array() && cached.size() == desired.size() && std::ranges::equal(desired, cached, hasAll);
  }
  return desired == cached;
}

kube::Result<void> Applier::apply(const Gathered& gathered, const core::Plan& plan) const {
  Gathered current = gathered;  // deployments change their resourceVersion on the way
  using Step = std::function<kube::Result<void>()>;
  const std::array steps{
      Step([&] { return applyVersion(gathered, plan); }),
      Step([&] { return applyAccess(gathered); }),
      Step([&] { return applyIsolation(gathered); }),
      Step([&] { return applyDeployments(current, plan); }),
      Step([&] { return applyScale(current, plan); }),
      Step([&] { return applyRoute(gathered, plan); }),
      Step([&] { return removeVersions(current, plan); }),
      // A route that is new brings another pass, with the gateways' word on it: one write of the status then instead of two.
      Step([&] {
        return gathered.route ? applyStatus(gathered.function, gathered.observed.function.status, plan.status) : kube::Result<void>();
      }),
      Step([&] { return forgetGateways(gathered, plan); }),
  };
  for (const auto& step : steps) {
    if (auto result = step(); !result) {
      return result;
    }
  }
  return {};
}

kube::Result<void> Applier::applyVersion(const Gathered& gathered, const core::Plan& plan) const {
  if (!plan.newVersion) {
    return {};
  }
  // The status or a Deployment may tell of a version that the versions' cache does not hold yet: it may be this very content.
  const auto& spec = plan.newVersion->spec;
  const auto& known = gathered.observed.versions;
  const auto isLast = [&](const api::FunctionVersion& version) { return version.spec.number == spec.number - 1; };
  if (spec.number > 1 && std::ranges::none_of(known, isLast)) {
    const kube::Key last{plan.newVersion->metadata.namespace_, core::versionName(spec.function, spec.number - 1)};
    const auto there = client_.get(resources::functionVersions, last);
    if (there) {
      return std::unexpected(
          kube::Error{kube::ErrorCode::conflict, "create a version after " + last.toString() + ": the cache does not hold that yet"});
    }
    if (there.error().code != kube::ErrorCode::notFound) {
      return std::unexpected(there.error());
    }
  }
  // Never applied over: a version is immutable, and a number that exists means that the cache is behind.
  return behindIfThere(client_.create(resources::functionVersions, api::write(*plan.newVersion), api::kManagerOperator));
}

// A new key must not replace pods that run: they keep theirs until the function is at zero or changes (ADR 13).
std::string Applier::callHomeKey(const api::Metadata& function, const kube::Object& deployment) const {
  if (options_.render.callHomeKey.empty()) {
    return "";
  }
  if (deployment && deployment.intAt("/spec/replicas", 1) > 0) {
    if (std::string known = core::callHomeKeyOf(deployment.json()); !known.empty()) {
      return known;
    }
  }
  return callhome::functionKey(options_.render.callHomeKey, function.namespace_, function.name);
}

kube::Result<void> Applier::applyDeployments(Gathered& gathered, const core::Plan& plan) const {
  for (const auto& version : plan.deployments) {
    auto& known = gathered.deployments[version.metadata.name];
    if (!known) {
      auto made = makeDeployment(gathered, version);
      if (!made) {
        return std::unexpected(made.error());
      }
      known = *made;
    }
    const std::string before = envSourcesOf(known);
    kube::Json desired = renderDeployment(gathered, version, known);
    if (hasAll(desired, known.json())) {
      continue;
    }
    const bool replaces = !before.empty() && envSourcesOf(kube::Object(desired)) != before && known.intAt("/spec/replicas", 1) > 0;
    auto updated = client_.update(resources::deployments, core::deploymentToUpdate(known.json(), desired), api::kManagerOperator);
    if (!updated) {
      return std::unexpected(updated.error());
    }
    known = *updated;
    if (replaces) {
      tellSourceChanged(gathered.function, version.spec.number);
    }
  }
  return {};
}

/// `known`: the Deployment as it is there, or empty.
kube::Json Applier::renderDeployment(const Gathered& gathered, const api::FunctionVersion& version, const kube::Object& known) const {
  const auto& function = gathered.observed.function;
  const std::string sources = core::envSourceRevisions(version.spec, gathered.observed.sources, known ? envSourcesOf(known) : "");
  return core::renderDeployment(function, version, options_.render, callHomeKey(function.metadata, known), sources);
}

// Under the autoscaler's name: the count is its.
kube::Result<kube::Object> Applier::makeDeployment(const Gathered& gathered, const api::FunctionVersion& version) const {
  auto made =
      client_.create(resources::deployments, core::deploymentToCreate(renderDeployment(gathered, version, {})), api::kManagerAutoscaler);
  if (made || made.error().code != kube::ErrorCode::alreadyExists) {
    return made;
  }
  return adoptOrFail(resources::deployments, {version.metadata.namespace_, version.metadata.name}, gathered.function.uid(), made.error());
}

void Applier::tellSourceChanged(const kube::Object& function, std::int64_t version) const {
  events_.record(
      function.key(), function.uid(),
      {false, "SourceChanged",
       "a Secret or ConfigMap with variables has changed: the replicas of version " + std::to_string(version) + " are replaced"});
}

kube::Result<void> Applier::applyScale(const Gathered& gathered, const core::Plan& plan) const {
  for (const auto& scale : plan.scale) {
    const auto known = gathered.deployments.find(scale.deployment);
    if (known == gathered.deployments.end() || !known->second) {
      continue;
    }
    const auto& deployment = known->second;
    const auto before = deployment.intAt("/spec/replicas", 1);
    auto scaled =
        client_.patchScale(resources::deployments, deployment.key(), scale.replicas, deployment.resourceVersion(), api::kManagerAutoscaler);
    if (!scaled) {
      return std::unexpected(scaled.error());
    }
    metrics_.scaled(scale.replicas == 0 ? "to_zero" : scale.replicas > before ? "up" : "down");
    log_.info("deployment scaled", {{"function", gathered.function.key().toString()},
                                    {"deployment", scale.deployment},
                                    {"from", std::to_string(before)},
                                    {"to", std::to_string(scale.replicas)},
                                    {"by", "reconciler"}});
  }
  return {};
}

kube::Result<void> Applier::applyRoute(const Gathered& gathered, const core::Plan& plan) const {
  if (gathered.observed.route && core::sameRoute(*gathered.observed.route, plan.route)) {
    return {};
  }
  if (auto confirmed = confirmTargets(gathered, plan); !confirmed) {
    return confirmed;
  }
  kube::Json route = api::write(plan.route);
  if (!gathered.route) {
    return behindIfThere(client_.create(resources::functionRoutes, route, api::kManagerOperator));
  }
  route["metadata"]["resourceVersion"] = gathered.route.resourceVersion();
  return ignoreValue(client_.update(resources::functionRoutes, route, api::kManagerOperator));
}

// A shift of traffic rests on the replicas of the version that gets it: what the cache says of them is read once more, since
// an own write that scaled it down may not have come back yet.
kube::Result<void> Applier::confirmTargets(const Gathered& gathered, const core::Plan& plan) const {
  for (const auto& backend : plan.route.spec.backends) {
    const auto& route = gathered.observed.route;
    const bool serves =
        route && std::ranges::find(route->spec.backends, backend.version, &api::RouteBackend::version) != route->spec.backends.end();
    const auto known = gathered.deployments.find(backend.deployment);
    if (serves || known == gathered.deployments.end() || !known->second) {
      continue;
    }
    const auto fresh = client_.get(resources::deployments, known->second.key());
    if (!fresh) {
      return std::unexpected(fresh.error());
    }
    if (fresh->intAt("/spec/replicas", 1) < known->second.intAt("/spec/replicas", 1)) {
      return std::unexpected(kube::Error{kube::ErrorCode::conflict, "shift traffic to deployment " + fresh->key().toString() +
                                                                        ": it has fewer replicas than the cache says"});
    }
  }
  return {};
}

kube::Result<void> Applier::removeVersions(const Gathered& gathered, const core::Plan& plan) const {
  for (const auto& version : plan.remove) {
    const auto known = gathered.deployments.find(version.metadata.name);
    if (known != gathered.deployments.end() && known->second) {
      const auto& object = known->second;
      const kube::DeleteOptions asSeen{.uid = object.uid(), .resourceVersion = object.resourceVersion()};
      if (auto removed = ignoreNotFound(client_.remove(resources::deployments, object.key(), asSeen)); !removed) {
        return removed;
      }
    }
    const kube::DeleteOptions same{.uid = version.metadata.uid, .resourceVersion = {}};
    const kube::Key key{version.metadata.namespace_, version.metadata.name};
    if (auto removed = ignoreNotFound(client_.remove(resources::functionVersions, key, same)); !removed) {
      return removed;
    }
  }
  return {};
}

kube::Result<void> Applier::applyStatus(const kube::Object& function, const api::FunctionStatus& before,
                                        const api::FunctionStatus& after) const {
  kube::Json status = api::writeStatus(after);
  if (status == api::writeStatus(before)) {
    return {};
  }
  const kube::Json object{
      {"apiVersion", api::kApiVersion},
      {"kind", "Function"},
      {"metadata", {{"name", function.name()}, {"namespace", function.namespace_()}, {"resourceVersion", function.resourceVersion()}}},
      {"status", std::move(status)}};
  auto written = client_.applyStatus(resources::functions, object, {.fieldManager = api::kManagerOperator, .force = true});
  if (!written) {
    return std::unexpected(written.error());
  }
  tell(function, before, after);
  return {};
}

kube::Result<void> Applier::applyConditions(const kube::Object& function, const api::FunctionStatus& before,
                                            const api::FunctionStatus& after) const {
  const kube::Json now = api::writeStatus(after)["conditions"];
  if (now == api::writeStatus(before)["conditions"] && function.intAt("/status/observedGeneration") == after.observedGeneration) {
    return {};
  }
  const kube::Json patch{{"metadata", {{"resourceVersion", function.resourceVersion()}}},
                         {"status", {{"conditions", now}, {"observedGeneration", after.observedGeneration}}}};
  auto written = client_.mergePatch(resources::functions, function.key(), patch, api::kManagerOperator, "status");
  if (!written) {
    return std::unexpected(written.error());
  }
  tell(function, before, after);
  return {};
}

void Applier::tell(const kube::Object& function, const api::FunctionStatus& before, const api::FunctionStatus& after) const {
  for (const auto& event : core::eventsBetween(before, after)) {
    events_.record(function.key(), function.uid(), event);
    log_.info("function event", {{"function", function.key().toString()}, {"reason", event.reason}, {"detail", event.message}});
  }
}

// The cache may be behind: what is there may be what an earlier pass made.
kube::Result<kube::Object> Applier::adoptOrFail(const kube::Resource& resource, const kube::Key& key, const std::string& ownerUid,
                                                kube::Error why) const {
  auto there = client_.get(resource, key);
  if (there && !controlledBy(*there, ownerUid)) {
    why.message += ": it is not the Function's; delete it or give the Function another name";
    return std::unexpected(std::move(why));
  }
  return there;
}

kube::Result<kube::Object> Applier::applyOver(const kube::Resource& resource, kube::Json desired,
                                              const std::string& resourceVersion) const {
  if (!resourceVersion.empty()) {
    desired["metadata"]["resourceVersion"] = resourceVersion;
  }
  return client_.apply(resource, desired, {.fieldManager = api::kManagerOperator, .force = true});
}

}  // namespace pilotlight::op
