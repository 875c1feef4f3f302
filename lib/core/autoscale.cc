#include "core/autoscale.h"

#include <algorithm>
#include <cmath>

namespace pilotlight::core {

namespace {

constexpr double kTolerance = 0.1;
constexpr int kPanicThreshold = 2;  // times what is ready
constexpr std::chrono::milliseconds kPointSpacing{100};

// Guards against 3.0000000001 becoming 4, and against a count that no int holds.
int roundUp(double value) {
  if (!(value > 0)) {
    return 0;
  }
  return static_cast<int>(std::min(std::ceil(value - 1e-9), 1e6));
}

int byRatio(int current, double average, double target) {
  if (current > 0 && std::abs(average / (current * target) - 1) <= kTolerance) {
    return current;
  }
  return roundUp(average / target);
}

int bounded(int replicas, const ReplicaBounds& bounds) {
  return std::clamp(replicas, bounds.min, bounds.max);
}

}  // namespace

ReplicaBounds replicaBounds(const api::FunctionSpec& spec, bool initialScaleReached) {
  ReplicaBounds bounds;
  bounds.max = std::max(spec.scale.max, 0);
  bounds.min = std::clamp(initialScaleReached ? spec.scale.min : std::max(spec.scale.min, spec.scale.initial), 0, bounds.max);
  bounds.pinned = spec.replicas;
  return bounds;
}

double targetPerReplica(const api::Concurrency& concurrency) {
  return std::max(concurrency.perReplica * (concurrency.target / 100.0), 0.01);
}

ScaleDecision Autoscaler::decide(const AutoscaleSpec& spec, const LoadSample& sample, const ReplicaCounts& replicas) {
  record(spec, sample, replicas);
  const double average = averageOver(spec.stableWindow, sample);
  if (spec.bounds.pinned) {
    return {.replicas = *spec.bounds.pinned, .panic = false, .average = average};
  }
  const int load = sample.inFlight + sample.queued;
  if (idle(spec, sample)) {
    if (spec.bounds.min == 0) {
      forgetLoad();
      return {.replicas = 0, .panic = false, .average = average};
    }
  } else if (replicas.current == 0 && load == 0) {
    return {.replicas = spec.bounds.min, .panic = false, .average = average};  // what went by does not light a replica
  }
  const double target = spec.targetPerReplica;
  const int panicDesired = byRatio(replicas.current, averageOver(spec.panicWindow, sample), target);
  const bool panic = updatePanic(spec, sample.now, panicDesired, replicas.ready);
  int recommended = byRatio(replicas.current, average, target);
  if (sample.queued > 0) {
    recommended = std::max(recommended, roundUp(load / target));
  }
  if (panic) {
    recommended = std::max({recommended, panicDesired, replicas.current});
  }
  if (sample.partial) {
    recommended = std::max(recommended, replicas.current);
  }
  recommended = std::max(recommended, 1);  // zero is for the idle only
  const int desired = stabilized(spec, sample.now, recommended, replicas.current);
  return {.replicas = bounded(desired, spec.bounds), .panic = panic, .average = average};
}

void Autoscaler::record(const AutoscaleSpec& spec, const LoadSample& sample, const ReplicaCounts& replicas) {
  if (!points_.empty() && sample.concurrencyMillis < points_.back().concurrencyMillis) {
    points_.clear();
  }
  // The integral only rises, so a point between two others may go without losing anything.
  if (points_.size() >= 2 && sample.now - points_[points_.size() - 2].at < kPointSpacing) {
    points_.pop_back();
  }
  points_.push_back({sample.now, sample.concurrencyMillis});
  while (points_.size() >= 2 && sample.now - points_[1].at >= spec.stableWindow) {
    points_.pop_front();
  }
  lastActive_ = std::max(lastActive_, sample.inFlight + sample.queued > 0 ? sample.now : sample.lastActive);
  if (replicas.current == 0) {
    raised_.reset();
  } else if (!raised_) {
    raised_ = sample.now;
  }
}

double Autoscaler::averageOver(api::Duration window, const LoadSample& sample) const {
  const SteadyTime from = sample.now - window;
  auto after = std::ranges::lower_bound(points_, from, {}, &Point::at);
  if (after == points_.end()) {
    return sample.inFlight + sample.queued;
  }
  SteadyTime start = after->at;
  double base = static_cast<double>(after->concurrencyMillis);
  if (after != points_.begin() && after->at > from) {  // between two points the load was even, as far as anyone knows
    const Point& before = *std::prev(after);
    const double share = std::chrono::duration<double>(from - before.at) / std::chrono::duration<double>(after->at - before.at);
    base = static_cast<double>(before.concurrencyMillis) + share * static_cast<double>(after->concurrencyMillis - before.concurrencyMillis);
    start = from;
  }
  const double millis = std::chrono::duration<double, std::milli>(sample.now - start).count();
  if (millis < 1) {
    return sample.inFlight + sample.queued;  // a history of one instant
  }
  return (static_cast<double>(sample.concurrencyMillis) - base) / millis;
}

bool Autoscaler::updatePanic(const AutoscaleSpec& spec, SteadyTime now, int panicDesired, int ready) {
  if (panicDesired >= kPanicThreshold * std::max(ready, 1)) {
    panicSeen_ = now;
  } else if (panicSeen_ && now - *panicSeen_ >= spec.stableWindow) {
    panicSeen_.reset();
  }
  return panicSeen_.has_value();
}

int Autoscaler::stabilized(const AutoscaleSpec& spec, SteadyTime now, int recommended, int current) {
  while (!recommendations_.empty() && recommendations_.back().replicas <= recommended) {
    recommendations_.pop_back();
  }
  recommendations_.push_back({now, recommended});
  while (now - recommendations_.front().at > spec.stableWindow) {
    recommendations_.pop_front();
  }
  return recommended >= current ? recommended : std::min(current, recommendations_.front().replicas);
}

bool Autoscaler::idle(const AutoscaleSpec& spec, const LoadSample& sample) const {
  if (sample.inFlight + sample.queued > 0 || sample.partial) {
    return false;
  }
  const SteadyTime since = std::max(lastActive_, raised_.value_or(SteadyTime{}));
  return sample.now - since >= spec.toZeroAfter;
}

void Autoscaler::forgetLoad() {
  points_.clear();
  recommendations_.clear();
  panicSeen_.reset();
}

std::vector<int> splitReplicas(int total, const std::vector<int>& weights) {
  std::vector<int> shares;
  shares.reserve(weights.size());
  for (const int weight : weights) {
    shares.push_back(weight <= 0 ? 0 : (total * weight + 99) / 100);
  }
  return shares;
}

}  // namespace pilotlight::core
