#include "core/plan.h"

#include <algorithm>

#include "core/autoscale.h"
#include "core/conditions.h"
#include "core/plan_status.h"

namespace pilotlight::core {

namespace {

const api::FunctionVersion* findVersion(const std::vector<api::FunctionVersion>& versions, std::int64_t number) {
  const auto it = std::ranges::find(versions, number, [](const api::FunctionVersion& version) { return version.spec.number; });
  return it == versions.end() ? nullptr : &*it;
}

const api::FunctionVersion* findContent(const std::vector<api::FunctionVersion>& versions, const std::string& hash) {
  const auto it = std::ranges::find(versions, hash, [](const api::FunctionVersion& version) { return version.spec.hash; });
  return it == versions.end() ? nullptr : &*it;
}

std::int64_t nextNumber(const Observed& observed) {
  std::int64_t highest = std::max(observed.function.status.versions.latest, observed.function.status.versions.stable);
  for (const auto& version : observed.versions) {
    highest = std::max(highest, version.spec.number);
  }
  for (const auto& deployment : observed.deployments) {
    highest = std::max(highest, deployment.version);
  }
  return highest + 1;
}

// The version that takes the traffic now: what the route says; the status remembers it when the route is gone or empty.
const api::FunctionVersion* servingVersion(const Observed& observed) {
  if (observed.route) {
    for (const auto& backend : observed.route->spec.backends) {
      if (const auto* version = findVersion(observed.versions, backend.version); version != nullptr && backend.weight > 0) {
        return version;
      }
    }
  }
  return findVersion(observed.versions, observed.function.status.versions.stable);
}

class Decision {
 public:
  Decision(const Observed& observed, const PlanOptions& options) : observed_(observed), options_(options) {}

  Plan make(std::chrono::system_clock::time_point now) {
    chooseTarget();
    chooseServing();
    bounds_ = replicaBounds(observed_.function.spec, initialScaleReached(observed_));
    plan_.deployments.push_back(serving_);
    if (serving_.spec.number != target_.spec.number) {
      plan_.deployments.push_back(target_);
    }
    std::vector<api::RouteBackend> backends;
    if (!off()) {
      backends.push_back(backendOf(serving_, 100));
    }
    plan_.route = renderRoute(observed_.function, std::move(backends), options_.render);
    settled_ = observed_.route && sameRoute(*observed_.route, plan_.route) && acknowledged(*observed_.route);
    scaleUsed();
    scaleUnused();
    collectGarbage();
    plan_.status = statusOf(observed_, {.serving = serving_.spec.number, .target = target_.spec.number, .off = off(), .settled = settled_},
                            plan_.route, options_.render, now);
    plan_.events = eventsBetween(observed_.function.status, plan_.status);
    return std::move(plan_);
  }

 private:
  bool off() const { return observed_.function.spec.replicas == 0; }  // pinned to nothing: no backend, or gateways would wake it

  void chooseTarget() {
    api::FunctionVersion wanted = renderVersion(observed_.function, nextNumber(observed_));
    if (const auto* known = findContent(observed_.versions, wanted.spec.hash)) {
      target_ = *known;
    } else {
      target_ = wanted;
      plan_.newVersion = std::move(wanted);
    }
  }

  void chooseServing() {
    const auto* current = servingVersion(observed_);
    serving_ = current == nullptr || mayShift(*current) ? target_ : *current;
  }

  bool mayShift(const api::FunctionVersion& current) const {
    const std::int64_t from = current.spec.number;
    const std::int64_t to = target_.spec.number;
    if (from == to || off()) {
      return true;
    }
    if (replicasOf(observed_, from) == 0 && replicasOf(observed_, to) == 0) {
      return true;  // nothing runs that could be better than the new one
    }
    // What is ready counts, not what was asked for: a version that never got ready must not hold its successor back.
    const int had = std::min(replicasOf(observed_, from), readyOf(observed_, from));
    // Pods of a Deployment that was already told to shrink are as good as gone.
    const int has = std::min(replicasOf(observed_, to), readyOf(observed_, to));
    return has >= std::max(1, had);
  }

  void want(const api::FunctionVersion& version, int atLeast, bool exactly) {
    const auto it = std::ranges::find(observed_.deployments, version.metadata.name, &DeploymentState::name);
    if (it != observed_.deployments.end() && (exactly ? it->replicas != atLeast : it->replicas < atLeast)) {
      plan_.scale.push_back({it->name, atLeast});
    }
  }

  void scaleUsed() {
    if (off()) {
      return;
    }
    const int parked = bounds_.pinned ? 0 : observed_.function.spec.scale.parked;
    want(serving_, bounds_.pinned.value_or(std::min(bounds_.min + parked, bounds_.max)), bounds_.pinned.has_value());
    if (target_.spec.number != serving_.spec.number) {
      want(target_, std::max(1, replicasOf(observed_, serving_.spec.number)), false);
    }
  }

  // Only when no gateway sends anything there any more: a drained replica must have somewhere to send what it refuses.
  void scaleUnused() {
    for (const auto& deployment : observed_.deployments) {
      if (deployment.replicas > 0 && settled_ && (off() || !inUse(deployment.version))) {
        plan_.scale.push_back({deployment.name, 0});
      }
    }
  }

  bool inUse(std::int64_t version) const { return version == serving_.spec.number || version == target_.spec.number; }

  void collectGarbage() {
    std::vector<const api::FunctionVersion*> unused;
    for (const auto& version : observed_.versions) {
      if (!inUse(version.spec.number)) {
        unused.push_back(&version);
      }
    }
    std::ranges::sort(unused, std::ranges::greater{}, [](const auto* version) { return version->spec.number; });
    for (std::size_t i = static_cast<std::size_t>(std::max(options_.history, 0)); i < unused.size(); ++i) {
      const std::int64_t number = unused[i]->spec.number;
      const bool hasPods = std::ranges::find(observed_.pods, number, &PodState::version) != observed_.pods.end();
      if (replicasOf(observed_, number) == 0 && !hasPods) {
        plan_.remove.push_back(*unused[i]);
      }
    }
  }

  const Observed& observed_;
  const PlanOptions& options_;
  Plan plan_;
  api::FunctionVersion target_;   // what the Function says now
  api::FunctionVersion serving_;  // what the route shall say
  ReplicaBounds bounds_;
  bool settled_ = false;  // the route stands as it shall, at every gateway
};

}  // namespace

Plan decide(const Observed& observed, const PlanOptions& options, std::chrono::system_clock::time_point now) {
  std::vector<std::string> vanished = vanishedGateways(observed);
  if (vanished.empty()) {
    return Decision(observed, options).make(now);
  }
  Observed present = observed;
  std::erase_if(present.route->status.gateways,
                [&](const api::GatewayAck& ack) { return std::ranges::find(vanished, ack.gateway) != vanished.end(); });
  Plan plan = Decision(present, options).make(now);
  plan.forgetGateways = std::move(vanished);
  return plan;
}

std::vector<std::string> vanishedGateways(const Observed& observed) {
  std::vector<std::string> vanished;
  if (!observed.gateways || !observed.route) {
    return vanished;
  }
  for (const auto& ack : observed.route->status.gateways) {
    if (!observed.gateways->contains(ack.gateway)) {
      vanished.push_back(ack.gateway);
    }
  }
  return vanished;
}

bool acknowledged(const api::FunctionRoute& route) {
  const auto& gateways = route.status.gateways;
  return !gateways.empty() &&
         std::ranges::all_of(gateways, [&](const api::GatewayAck& ack) { return ack.observedGeneration >= route.metadata.generation; });
}

}  // namespace pilotlight::core
