// Parks and lights replicas, and keeps the API's record of it: shims are told, then their pods.
//
// What a shim says is the truth; a pod's annotation api::kAnnotationParked is the record of it, by which decisions count. Gateways
// light parked replicas without a word to anybody here, so recorded ones are asked (readyz) while there are requests. With a record
// go the pod's deletion cost and, in a cluster, its requests of CPU and memory, by the subresource resize: if that is refused
// (deferred and infeasible ones the kubelet tries again itself), the replica serves all the same.
//
// Expected flow: construct, start(), want() with every look at a function that parks, stop(). Acts on state: whatever fails is done
// with a later want().
// Thread-safety: want() from any thread; start() and stop() from one.
#pragma once

#include <map>
#include <mutex>
#include <thread>

#include "core/warmth.h"
#include "kube/client.h"
#include "kube/workqueue.h"
#include "operator/caches.h"
#include "operator/log.h"
#include "operator/shim_calls.h"

namespace pilotlight::op {

struct WarmthOptions {
  bool resize = true;  ///< the pods' requests
  std::chrono::milliseconds shimTimeout;
};

class WarmthLoop {
 public:
  WarmthLoop(kube::Client& client, const Caches& caches, const Log& log, WarmthOptions options);
  ~WarmthLoop();
  WarmthLoop(const WarmthLoop&) = delete;

  struct Wanted {
    int lit = 0;
    int parked = 0;
    bool look = false;  ///< there were requests: a gateway may have lit some
  };
  void start();
  void stop();
  /// False: it is not so yet, as far as is recorded. A Deployment that shrinks now may lose the wrong pods.
  bool want(const kube::Object& deployment, const Wanted& wanted);

 private:
  struct Seen;  // a pod and what is known of it
  void run();
  void pass(const kube::Key& deployment, const Wanted& wanted);
  std::vector<Seen> podsOf(const kube::Object& deployment) const;
  void look(std::vector<Seen>& pods);
  void light(std::vector<Seen>& pods, const core::WarmthPlan& plan);
  void park(std::vector<Seen>& pods, const core::WarmthPlan& plan);
  void record(const kube::Object& deployment, const std::vector<Seen>& pods, int parked);
  bool resize(const kube::Object& deployment, const Seen& pod);

  kube::Client& client_;
  const Caches& caches_;
  const Log& log_;
  const WarmthOptions options_;
  kube::WorkQueue queue_;
  ShimCalls shims_;  // of the loop's thread
  std::mutex mutex_;
  std::map<kube::Key, Wanted> wanted_;  // guarded by mutex_; by Deployment, what a pass has not taken yet
  std::thread thread_;
};

}  // namespace pilotlight::op
