// What should be done about one Function, given what is there: the reconciler's decision, without a cluster.
//
// Level-triggered: it knows nothing of what happened, only of what is. A crash between any two of the writes that a Plan
// asks for is healed by the next decision. How a change of what runs goes out:
//   1. the content has no version yet: a FunctionVersion and its Deployment (0 replicas) are made;
//   2. the serving version is at zero and the new one was not started: the route flips at once; otherwise the new one is
//      brought up to what the serving one has, and the route flips when as many are ready;
//   3. every gateway has acknowledged the flipped route: versions without traffic go to 0 replicas, their pods drain;
//   4. more than `history` of them: the oldest go.
// A version that can't get ready takes no traffic: nothing else changes until its content does.
//
// Thread-safety: pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/types.h"
#include "core/host_claims.h"
#include "core/render.h"
#include "core/sources.h"

namespace pilotlight::core {

struct DeploymentState {
  std::string name;
  std::int64_t version = 0;
  int replicas = 0;            ///< asked for
  std::string cantMakePods{};  ///< why: a quota, a policy; empty: it can
};

struct PodState {
  std::string name;
  std::int64_t version = 0;
  bool ready = false;
  bool parked = false;  ///< ready to start its handler; whether that works is not known
  bool deleting = false;
  std::string problem;  ///< why it can't get ready: CrashLoopBackOff, CreateContainerConfigError, …; empty: nothing known
  std::string problemMessage;
  bool runsUnready = false;  ///< its handler does not listen (yet)
};

struct Observed {
  api::Function function;
  std::vector<api::FunctionVersion> versions;  ///< of this Function, in any order
  std::vector<DeploymentState> deployments;
  std::vector<PodState> pods;
  std::optional<api::FunctionRoute> route;
  SourceView sources;
  std::optional<HostConflict> conflict;  ///< of the route as it will be written
  /// The gateways that are there, by name; nullopt: not known. What one that is gone once acknowledged holds nothing up.
  std::optional<std::set<std::string>> gateways;
};

struct PlanOptions {
  RenderOptions render;
  int history = 10;  ///< versions kept beside those in use
};

struct ScaleTo {
  std::string deployment;
  int replicas = 0;
};

struct PlannedEvent {
  bool warning = false;
  std::string reason;  ///< CamelCase
  std::string message;
};

/// Members are in the order of the writes.
struct Plan {
  std::optional<api::FunctionVersion> newVersion;
  std::vector<api::FunctionVersion> deployments;  ///< versions whose Deployment must be there as rendered
  std::vector<ScaleTo> scale;
  api::FunctionRoute route;
  std::vector<api::FunctionVersion> remove;  ///< with their Deployments
  api::FunctionStatus status;
  std::vector<std::string> forgetGateways;  ///< gone, as far as is known: their acknowledgements
  std::vector<PlannedEvent> events;
};

Plan decide(const Observed& observed, const PlanOptions& options, std::chrono::system_clock::time_point now);

/// What is worth telling about the way from one status to the next: told once, after the new status is written.
std::vector<PlannedEvent> eventsBetween(const api::FunctionStatus& before, const api::FunctionStatus& after);

/// The status of a Function whose spec can't be read: it keeps what is served and says what is wrong.
api::FunctionStatus invalidStatus(const api::FunctionStatus& before, std::int64_t generation, const std::string& message,
                                  std::chrono::system_clock::time_point now);

/// The status of a Function of which something is refused by the cluster.
api::FunctionStatus refusedStatus(const api::FunctionStatus& before, std::int64_t generation, const std::string& message,
                                  std::chrono::system_clock::time_point now);

/// Those that once acknowledged the route and are no more.
std::vector<std::string> vanishedGateways(const Observed& observed);

/// True when every gateway serves this very generation of the route, and there is at least one.
bool acknowledged(const api::FunctionRoute& route);

}  // namespace pilotlight::core
