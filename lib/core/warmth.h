// The ladder of warmth within one version: which of its pods keep their handler, and which are parked, with the shim alone.
//
// Every pod starts lit, so one that starts because requests wait needs no word from anybody; parking is done to pods that have
// nothing to do. `scale.parked` of them are kept beside those that are wanted lit, as far as `scale.max` allows.
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

namespace pilotlight::core {

/// Replicas to ask for: `lit` of each version, and the parked ones with the version that has most weight.
std::vector<int> withParked(std::vector<int> lit, const std::vector<int>& weights, int parked, int max);

/// A pod of the version that is not going.
struct WarmthPod {
  std::string name;
  std::string created;  ///< RFC 3339
  bool parked = false;
  bool ready = false;
};

struct WarmthPlan {
  std::vector<std::string> light;  ///< each of them
  std::vector<std::string> park;   ///< the first `parkCount` that have no request just now
  int parkCount = 0;
};

/// `lit`: wanted with a handler; `parked`: wanted beside them, but no more pods are lit for it. The youngest are parked first: a
/// replacement, rather than the one that it replaces and that has warmed up. The same are chosen again while what was done has not
/// come back.
WarmthPlan planWarmth(const std::vector<WarmthPod>& pods, int lit, int parked);

/// controller.kubernetes.io/pod-deletion-cost, by which a Deployment that shrinks chooses: a parked pod is worth more than a lit one
/// that is no longer needed, since that one would have to be parked in its place; beyond `parked` it is worth less. 0: none, lit.
std::vector<int> deletionCosts(const std::vector<WarmthPod>& pods, int parked);

}  // namespace pilotlight::core
