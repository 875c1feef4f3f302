// The status half of decide(): see plan.h. Pure functions.
#pragma once

#include "core/plan.h"

namespace pilotlight::core {

/// Asked for (spec.replicas) by the version's Deployment; 0 without one.
int replicasOf(const Observed& observed, std::int64_t version);
/// Pods that are ready, with their handler, and not going.
int readyOf(const Observed& observed, std::int64_t version);
int parkedOf(const Observed& observed, std::int64_t version);
/// True once scale.initial replicas (fewer, when fewer are pinned or allowed) have been ready at the same time.
bool initialScaleReached(const Observed& observed);
bool sameRoute(const api::FunctionRoute& a, const api::FunctionRoute& b);

struct Serving {
  std::int64_t serving = 0;  ///< takes the traffic
  std::int64_t target = 0;   ///< what the Function says
  bool off = false;          ///< pinned to no replicas
  bool settled = false;      ///< the route stands as desired, at every gateway
};

api::FunctionStatus statusOf(const Observed& observed, const Serving& serving, const api::FunctionRoute& route,
                             const RenderOptions& options, std::chrono::system_clock::time_point now);

}  // namespace pilotlight::core
