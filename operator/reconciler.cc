#include "operator/reconciler.h"

#include <nlohmann/json.hpp>

#include "kube/status.h"

namespace pilotlight::op {

namespace {

// A status that can't be read with a spec that can't either: what is known of it is kept as far as it is readable.
api::FunctionStatus statusOf(const kube::Object& function) {
  api::FunctionStatus status;
  const auto* conditions = function.at("/status/conditions");
  if (conditions == nullptr || !conditions->is_array()) {
    return status;
  }
  for (const auto& each : *conditions) {
    const auto text = [&each](const char* field) {
      const auto it = each.find(field);
      return it != each.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    status.conditions.push_back({.type = text("type"),
                                 .status = text("status"),
                                 .reason = text("reason"),
                                 .message = text("message"),
                                 .lastTransitionTime = text("lastTransitionTime"),
                                 .observedGeneration = 0});
  }
  return status;
}

/// By rights, a policy, a quota, or what has the name already: its owner can do something about it.
bool wasRefused(const kube::Error& error) {
  using enum kube::ErrorCode;
  return error.code == forbidden || error.code == invalid || error.code == badRequest || error.code == alreadyExists;
}

}  // namespace

Outcome Reconciler::reconcile(const kube::Key& function) const {
  const auto began = std::chrono::steady_clock::now();
  const auto took = [began] { return std::chrono::steady_clock::now() - began; };
  const kube::Object object = caches_.functions.store().get(function);
  if (!object || object.deleting()) {
    metrics_.forget(function);  // what it owned goes by its owner references
    metrics_.reconciled("success", took());
    return Outcome::done;
  }
  const auto gathered = gatherer_.gather(object);
  if (!gathered) {
    const Outcome outcome = reconcileInvalid(object, gathered.error());
    metrics_.reconciled("invalid", took());
    return outcome;
  }
  const core::Plan plan = core::decide(gathered->observed, options_, std::chrono::system_clock::now());
  const auto applied = applier_.apply(*gathered, plan);
  const Outcome outcome = outcomeOf(function, applied);
  if (outcome == Outcome::failed && wasRefused(applied.error())) {
    tellRefused(*gathered, applied.error().message);
  }
  int desired = 0;
  for (const auto& deployment : gathered->observed.deployments) {
    desired += deployment.replicas;
  }
  metrics_.setReplicas(
      function, {.desired = desired, .all = plan.status.replicas, .warm = plan.status.readyReplicas, .parked = plan.status.parkedReplicas});
  metrics_.reconciled(outcome == Outcome::done ? "success" : outcome == Outcome::again ? "conflict" : "error", took());
  return outcome;
}

Outcome Reconciler::reconcileInvalid(const kube::Object& function, const api::FieldErrors& errors) const {
  const api::FunctionStatus before = statusOf(function);
  const auto after = core::invalidStatus(before, function.generation(), api::toString(errors), std::chrono::system_clock::now());
  return outcomeOf(function.key(), applier_.applyConditions(function, before, after));
}

void Reconciler::tellRefused(const Gathered& gathered, const std::string& why) const {
  const auto& before = gathered.observed.function.status;
  const auto after = core::refusedStatus(before, gathered.function.generation(), why, std::chrono::system_clock::now());
  outcomeOf(gathered.function.key(), applier_.applyConditions(gathered.function, before, after));
}

Outcome Reconciler::outcomeOf(const kube::Key& function, const kube::Result<void>& result) const {
  if (result) {
    return Outcome::done;
  }
  const auto code = result.error().code;
  if (code == kube::ErrorCode::conflict || code == kube::ErrorCode::cancelled || kube::namespaceIsTerminating(result.error())) {
    log_.debug("function is reconciled again", {{"function", function.toString()}, {"cause", result.error().message}});
    return Outcome::again;
  }
  log_.error("function not reconciled", {{"function", function.toString()}, {"error", result.error().message}});
  return Outcome::failed;
}

}  // namespace pilotlight::op
