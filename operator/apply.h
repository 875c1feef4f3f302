// Carries out a Plan: all writing about one Function is here, in an order in which a crash after any write leaves
// something that the next pass heals. Each write names what it is based on (a resourceVersion, or "must not exist"), so
// a stale decision fails as a conflict instead of undoing a newer one.
// Thread-safe.
#pragma once

#include "core/plan.h"
#include "kube/client.h"
#include "operator/events.h"
#include "operator/gather.h"

namespace pilotlight::op {

/// True when `cached` already has everything in `desired` (it may have more: defaults, other managers' fields).
bool hasAll(const kube::Json& desired, const kube::Json& cached);

class Applier {
 public:
  /// `gatewayNamespace`: where the gateways' pods are.
  Applier(kube::Client& client, EventRecorder& events, const Log& log, Metrics& metrics, const core::PlanOptions& options,
          std::string gatewayNamespace)
      : client_(client), events_(events), log_(log), metrics_(metrics), options_(options), gatewayNamespace_(std::move(gatewayNamespace)) {}

  kube::Result<void> apply(const Gathered& gathered, const core::Plan& plan) const;
  kube::Result<void> applyStatus(const kube::Object& function, const api::FunctionStatus& before, const api::FunctionStatus& after) const;
  /// The Ready condition alone, of a Function whose spec can't be read: the rest of the status stays as it is.
  kube::Result<void> applyConditions(const kube::Object& function, const api::FunctionStatus& before,
                                     const api::FunctionStatus& after) const;

 private:
  void tellSourceChanged(const kube::Object& function, std::int64_t version) const;
  void tell(const kube::Object& function, const api::FunctionStatus& before, const api::FunctionStatus& after) const;
  kube::Result<void> applyVersion(const Gathered& gathered, const core::Plan& plan) const;
  kube::Result<void> applyAccess(const Gathered& gathered) const;
  kube::Result<void> applyIsolation(const Gathered& gathered) const;
  std::string callHomeKey(const api::Metadata& function, const kube::Object& deployment) const;
  kube::Result<void> applyDeployments(Gathered& gathered, const core::Plan& plan) const;
  kube::Json renderDeployment(const Gathered& gathered, const api::FunctionVersion& version, const kube::Object& known) const;
  kube::Result<kube::Object> makeDeployment(const Gathered& gathered, const api::FunctionVersion& version) const;
  kube::Result<void> applyScale(const Gathered& gathered, const core::Plan& plan) const;
  kube::Result<void> applyRoute(const Gathered& gathered, const core::Plan& plan) const;
  kube::Result<void> confirmTargets(const Gathered& gathered, const core::Plan& plan) const;
  kube::Result<void> removeVersions(const Gathered& gathered, const core::Plan& plan) const;
  kube::Result<void> forgetGateways(const Gathered& gathered, const core::Plan& plan) const;

  /// Creates, or applies over `cached`; alreadyExists when something that is not the Function's has the name.
  kube::Result<kube::Object> ensure(const kube::Resource& resource, kube::Json desired, const kube::Object& cached,
                                    const std::string& ownerUid) const;
  /// `desired` null: it must not be there.
  kube::Result<void> ensureOrRemove(const kube::Resource& resource, kube::Json desired, const kube::Object& cached,
                                    const std::string& ownerUid) const;
  kube::Result<kube::Object> applyOver(const kube::Resource& resource, kube::Json desired, const std::string& resourceVersion) const;
  kube::Result<kube::Object> adoptOrFail(const kube::Resource& resource, const kube::Key& key, const std::string& ownerUid,
                                         kube::Error why) const;

  kube::Client& client_;
  EventRecorder& events_;
  const Log& log_;
  Metrics& metrics_;
  const core::PlanOptions& options_;
  const std::string gatewayNamespace_;
};

}  // namespace pilotlight::op
