// The operator's view of the cluster: one informer per resource, and which host and path is whose.
// Thread-safety: start(), stop() from one thread; the rest from any.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "core/host_claims.h"
#include "kube/informer.h"
#include "operator/log.h"

namespace pilotlight::op {

/// The Function that an owned object belongs to, by its label.
kube::Key functionOf(const kube::Object& object);
core::FunctionId idOf(const kube::Key& key);

class Caches {
 public:
  /// `namespace_` empty: all namespaces.
  Caches(kube::Client& client, const std::string& namespace_, const core::HostRules& hosts, const Log& log);

  /// `changed`: something that the Function's reconciliation depends on is other than before. Before start().
  void onChange(std::function<void(const kube::Key& function)> changed);
  /// A Deployment of the Function asks for replicas. Before start().
  void onReplicas(std::function<void(const kube::Key& function)> replicas);

  void start();
  void stop();
  /// nullptr when all are in sync, else the first resource that is not.
  const char* waitForSync(std::chrono::milliseconds timeout);

  /// Of this Function only, from all versions.
  std::vector<kube::Object> ownedBy(const kube::Informer& informer, const kube::Key& function) const;
  std::optional<core::HostConflict> conflictOf(const kube::Key& function, const api::FunctionRouteSpec& spec) const;
  void forEach(const std::function<void(const char* resource, const kube::Informer&)>& visit);

  kube::Informer functions, versions, routes, deployments, pods, services, serviceAccounts, networkPolicies, disruptionBudgets;

 private:
  struct Named {
    const char* name;
    kube::Informer* informer;
  };
  std::vector<Named> all();
  void watchFunctions();
  void watchOwned();
  void watchRoutes();
  void routeChanged(const kube::Object& before, const kube::Object& after);

  const Log& log_;
  std::function<void(const kube::Key&)> changed_ = [](const kube::Key&) {};
  std::function<void(const kube::Key&)> replicas_ = [](const kube::Key&) {};
  mutable std::mutex claimsMutex_;
  core::HostClaims claims_;  // guarded by claimsMutex_
};

}  // namespace pilotlight::op
