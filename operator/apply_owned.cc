// What a Function has one of: Service, ServiceAccount, NetworkPolicy, PodDisruptionBudget.
#include <nlohmann/json.hpp>

#include "operator/apply.h"
#include "operator/apply_result.h"

namespace pilotlight::op {

namespace resources = kube::resources;

kube::Result<void> Applier::applyAccess(const Gathered& gathered) const {
  const auto& function = gathered.observed.function;
  const std::string& uid = gathered.function.uid();
  auto account = ensure(resources::serviceAccounts, core::renderServiceAccount(function), gathered.serviceAccount, uid);
  if (!account) {
    return std::unexpected(account.error());
  }
  auto service = ensure(resources::services, core::renderService(function, options_.render), gathered.service, uid);
  if (!service && service.error().code == kube::ErrorCode::alreadyExists) {
    // The user's own Service stays; the Function is still reached by its hosts.
    events_.record(gathered.function.key(), uid, {true, "ServiceNameTaken", service.error().message});
    return {};
  }
  return ignoreValue(service);
}

// Before the Deployments: no replica runs without it.
kube::Result<void> Applier::applyIsolation(const Gathered& gathered) const {
  const auto& function = gathered.observed.function;
  const std::string& uid = gathered.function.uid();
  const auto& render = options_.render;
  kube::Json policy = render.network ? core::renderNetworkPolicy(function, *render.network) : kube::Json();
  if (auto done = ensureOrRemove(resources::networkPolicies, std::move(policy), gathered.networkPolicy, uid); !done) {
    return done;
  }
  const bool wanted = render.disruptionBudgets && core::needsDisruptionBudget(function);
  kube::Json budget = wanted ? core::renderDisruptionBudget(function) : kube::Json();
  return ensureOrRemove(resources::podDisruptionBudgets, std::move(budget), gathered.disruptionBudget, uid);
}

kube::Result<kube::Object> Applier::ensure(const kube::Resource& resource, kube::Json desired, const kube::Object& cached,
                                           const std::string& ownerUid) const {
  desired = core::stamped(std::move(desired));
  if (cached) {
    return hasAll(desired, cached.json()) ? cached : applyOver(resource, std::move(desired), cached.resourceVersion());
  }
  const auto& meta = desired["metadata"];
  const kube::Key key{meta["namespace"].get<std::string>(), meta["name"].get<std::string>()};
  auto created = client_.create(resource, desired, api::kManagerOperator);
  if (created || created.error().code != kube::ErrorCode::alreadyExists) {
    return created;
  }
  return adoptOrFail(resource, key, ownerUid, created.error());
}

kube::Result<void> Applier::ensureOrRemove(const kube::Resource& resource, kube::Json desired, const kube::Object& cached,
                                           const std::string& ownerUid) const {
  if (!desired.is_null()) {
    return ignoreValue(ensure(resource, std::move(desired), cached, ownerUid));
  }
  if (!cached) {
    return {};
  }
  const kube::DeleteOptions asSeen{.uid = cached.uid(), .resourceVersion = cached.resourceVersion()};
  return ignoreNotFound(client_.remove(resource, cached.key(), asSeen));
}

}  // namespace pilotlight::op
