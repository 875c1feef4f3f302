// Turns what the gateways count into replicas: loads -> core::Autoscaler -> deployments/scale.
//
// Expected flow: construct, start(), touch() for each Function that has replicas, stop(). It wakes at each tick while
// some Function has replicas, at once when requests wait for one, and not at all otherwise: idle Functions cost nothing.
// Every write carries the resourceVersion of what it was decided on; after a conflict the Function is looked at again.
// Thread-safety: touch() from any thread; start() and stop() from one.
#pragma once

#include <memory>
#include <thread>
#include <unordered_map>

#include "core/autoscale.h"
#include "core/load.h"
#include "core/plan.h"
#include "kube/client.h"
#include "operator/caches.h"
#include "operator/log.h"
#include "operator/metrics.h"
#include "operator/warmth_loop.h"

namespace pilotlight::op {

struct AutoscalerOptions {
  std::chrono::milliseconds tick{500};
  std::chrono::milliseconds stableWindow{std::chrono::seconds(60)};
  std::chrono::milliseconds panicWindow{std::chrono::seconds(6)};
  std::chrono::milliseconds parkedLook{std::chrono::seconds(5)};  ///< after a request: whether a parked replica was lit for it
  int parkingTicks = 4;                                           ///< a shim that is not reached keeps nothing up for ever
};

class AutoscalerLoop {
 public:
  AutoscalerLoop(kube::Client& client, core::LoadSource& loads, const Caches& caches, const Log& log, Metrics& metrics, WarmthLoop& warmth,
                 AutoscalerOptions options);
  ~AutoscalerLoop();
  AutoscalerLoop(const AutoscalerLoop&) = delete;

  void start();
  void stop();
  void touch(const kube::Key& function);

 private:
  using Loads = std::unordered_map<kube::Key, core::FunctionLoad, kube::KeyHash>;
  struct Inbox;
  struct Tracked {
    core::Autoscaler history;
    core::AutoscaleSpec spec;
    core::SteadyTime at{};        // of the last sample
    int parked = 0;               // scale.parked
    int held = 0;                 // ticks in a row for which a shrinking waited for the warmth
    std::int64_t requests = 0;    // of the last sample
    core::SteadyTime activeAt{};  // when that last rose
    std::string parsedVersion;    // the Function's resourceVersion that `spec` is from
    std::string uid;
  };
  struct Backend {
    kube::Object deployment;
    int weight = 0;
    int replicas = 0;
    std::int64_t version = 0;
  };

  void run();
  Loads currentLoads() const;
  bool evaluate(const kube::Key& function, const Loads& loads, bool complete, bool replace);
  static core::LoadSample sampleOf(const kube::Key& function, const Loads& loads, bool complete, Tracked& tracked);
  bool readSpec(const kube::Object& function, Tracked& tracked) const;
  std::vector<Backend> backendsOf(const kube::Key& function) const;
  bool hasReplicas(const kube::Key& function) const;
  bool keepWarmth(const kube::Key& function, const Tracked& tracked, const std::vector<Backend>& backends, const std::vector<int>& lit);
  /// Not those that are going.
  std::vector<core::PodState> podsOf(const kube::Key& function) const;
  void scale(const kube::Key& function, const Backend& backend, int replicas, const core::ScaleDecision& why);

  kube::Client& client_;
  core::LoadSource& loads_;
  const Caches& caches_;
  const Log& log_;
  Metrics& metrics_;
  WarmthLoop& warmth_;
  const AutoscalerOptions options_;
  const std::shared_ptr<Inbox> inbox_;  // shared with the listener, which the load source may keep beyond our life

  std::unordered_map<kube::Key, Tracked, kube::KeyHash> tracked_;  // of the loop's thread
  std::thread thread_;
};

}  // namespace pilotlight::op
