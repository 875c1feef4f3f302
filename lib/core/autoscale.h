// How many replicas a Function needs, from its live concurrency.
//
// The ratio and its tolerance are the HorizontalPodAutoscaler's ("Algorithm details" of its documentation), the stable and
// panic windows are Knative's (its autoscaler's README): desired = ceil(current * average / (current * target)), left alone
// within 10 %. Requests that wait raise the count at once to what they and those in flight need; there is no tick to wait
// for. The way down takes the highest recommendation of the stable window. Zero is reached only after `toZeroAfter`
// without any load and without a start.
//
// Pure: time comes with the samples. Thread-safety: none, an Autoscaler has one owner.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "api/types.h"

namespace pilotlight::core {

using SteadyTime = std::chrono::steady_clock::time_point;

struct ReplicaBounds {
  int min = 0;
  int max = 20;
  std::optional<int> pinned;  ///< spec.replicas: this count, whatever the load
};

/// Until the initial scale was once reached it is part of the lower bound. min never exceeds max.
ReplicaBounds replicaBounds(const api::FunctionSpec& spec, bool initialScaleReached);

struct AutoscaleSpec {
  ReplicaBounds bounds;
  double targetPerReplica = 1;  ///< requests at once that one replica should have; above 0
  api::Duration toZeroAfter{std::chrono::seconds(60)};
  api::Duration stableWindow{std::chrono::seconds(60)};
  api::Duration panicWindow{std::chrono::seconds(6)};
};

/// perReplica * target %, never below a hundredth.
double targetPerReplica(const api::Concurrency& concurrency);

struct LoadSample {
  SteadyTime now{};
  int inFlight = 0;
  int queued = 0;
  std::int64_t concurrencyMillis = 0;  ///< see FunctionLoad; a fall (a gateway began anew) starts the history over
  SteadyTime lastActive{};             ///< epoch: never
  bool partial = false;                ///< there may be more load than this: the count may rise, and nothing else
};

struct ReplicaCounts {
  int current = 0;  ///< asked for (spec.replicas of the versions that take traffic)
  int ready = 0;
};

struct ScaleDecision {
  int replicas = 0;
  bool panic = false;
  double average = 0;  ///< requests at once over the stable window
};

class Autoscaler {
 public:
  /// `sample.now` never goes back. Bounded memory: one entry per 100 ms of the stable window.
  ScaleDecision decide(const AutoscaleSpec& spec, const LoadSample& sample, const ReplicaCounts& replicas);

 private:
  struct Point {
    SteadyTime at;
    std::int64_t concurrencyMillis;
  };
  struct Recommendation {
    SteadyTime at;
    int replicas;
  };
  void record(const AutoscaleSpec& spec, const LoadSample& sample, const ReplicaCounts& replicas);
  double averageOver(api::Duration window, const LoadSample& sample) const;
  bool updatePanic(const AutoscaleSpec& spec, SteadyTime now, int panicDesired, int ready);
  int stabilized(const AutoscaleSpec& spec, SteadyTime now, int recommended, int current);
  bool idle(const AutoscaleSpec& spec, const LoadSample& sample) const;
  void forgetLoad();

  std::deque<Point> points_;                    // oldest first
  std::deque<Recommendation> recommendations_;  // falling: the front is the highest of the stable window
  std::optional<SteadyTime> panicSeen_;         // last instant that called for panic
  std::optional<SteadyTime> raised_;            // when the count was first seen above zero
  SteadyTime lastActive_{};
};

/// The share of each weight (percent) of `total`, rounded up: a version with any weight has a replica unless total is 0.
std::vector<int> splitReplicas(int total, const std::vector<int>& weights);

}  // namespace pilotlight::core
