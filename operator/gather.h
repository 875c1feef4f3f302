// Reads what a decision about one Function needs, from the caches only. All reading is here, all deciding in core/plan.h.
// Thread-safe.
#pragma once

#include <map>
#include <string>

#include "api/api.h"
#include "core/plan.h"
#include "kube/client.h"
#include "operator/caches.h"
#include "operator/gateway_pods.h"
#include "operator/mount_failures.h"
#include "operator/source_cache.h"

namespace pilotlight::op {

struct Gathered {
  core::Observed observed;
  kube::Object function;
  kube::Object route;  ///< empty when there is none
  /// Ours; empty when there is none.
  kube::Object service, serviceAccount, networkPolicy, disruptionBudget;
  std::map<std::string, kube::Object> deployments;  ///< by name
  std::map<std::string, kube::Object> versions;     ///< by name
};

/// What the decision knows of a pod: a pure reading of its status.
/// `mountFailure`: what the kubelet says of its volumes; it counts while its containers wait for them.
core::PodState podState(const kube::Object& pod, const std::string& mountFailure = "");
/// Of the function's container.
std::int64_t restartCount(const kube::Object& pod);
core::DeploymentState deploymentState(const kube::Object& deployment);
/// True when the object's controller is the owner with this uid.
bool controlledBy(const kube::Object& object, const std::string& uid);

class Gatherer {
 public:
  /// `gateways` may be null: which of them are there is not known.
  Gatherer(const Caches& caches, const SourceCache& sources, const MountFailures& mountFailures, const GatewayPods* gateways,
           const Log& log, const core::PlanOptions& options)
      : caches_(caches), sources_(sources), mountFailures_(mountFailures), gateways_(gateways), log_(log), options_(options) {}

  std::expected<Gathered, api::FieldErrors> gather(const kube::Object& function) const;

 private:
  void gatherOwned(const kube::Key& key, Gathered& into) const;
  void gatherSources(const kube::Key& key, Gathered& into) const;
  void gatherRoute(const kube::Key& key, Gathered& into) const;

  const Caches& caches_;
  const SourceCache& sources_;
  const MountFailures& mountFailures_;
  const GatewayPods* gateways_;
  const Log& log_;
  const core::PlanOptions& options_;
};

}  // namespace pilotlight::op
