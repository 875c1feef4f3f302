#include "operator/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <unordered_map>

namespace pilotlight::op {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

template <class Builder>
auto& family(prometheus::Registry& registry, Builder builder, const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  Family<Counter>& reconciles = family(registry, prometheus::BuildCounter(), "pilotlight_operator_reconcile_total", "Passes by result");
  Family<Counter>& errors =
      family(registry, prometheus::BuildCounter(), "pilotlight_operator_reconcile_errors_total", "Passes that failed and are repeated");
  Family<Histogram>& durations =
      family(registry, prometheus::BuildHistogram(), "pilotlight_operator_reconcile_duration_seconds", "Length of a pass");
  Family<Counter>& scalings = family(registry, prometheus::BuildCounter(), "pilotlight_operator_scale_total", "Writes of replicas");
  Family<Counter>& dropped =
      family(registry, prometheus::BuildCounter(), "pilotlight_operator_events_dropped_total", "Events lost to a full queue");
  Family<Gauge>& depths = family(registry, prometheus::BuildGauge(), "pilotlight_operator_workqueue_depth", "Functions that wait");
  Family<Gauge>& desired =
      family(registry, prometheus::BuildGauge(), "pilotlight_operator_desired_replicas", "Replicas asked for, all versions");
  Family<Gauge>& ready =
      family(registry, prometheus::BuildGauge(), "pilotlight_operator_ready_replicas", "Replicas that are ready, all versions");
  Family<Gauge>& states =
      family(registry, prometheus::BuildGauge(), "pilotlight_replicas",
             "Replicas by state: warm (its handler runs), parked (the shim alone), starting (neither, or on its way to warm)");
  Family<Counter>& restarts =
      family(registry, prometheus::BuildCounter(), "pilotlight_operator_watch_restarts_total", "Lists after the first, by resource");

  Counter& errorCount = errors.Add({});
  Histogram& duration = durations.Add({}, kSeconds);
  Counter& droppedCount = dropped.Add({});
  Gauge& depth = depths.Add({});

  struct Gauges {
    Gauge *desired, *ready, *warm, *parked, *starting;
  };
  Gauges gaugesOf(const kube::Key& function) {
    const prometheus::Labels labels{{"namespace", function.namespace_}, {"function", function.name}};
    const auto state = [&](const char* name) {
      auto all = labels;
      all["state"] = name;
      return &states.Add(all);
    };
    return {&desired.Add(labels), &ready.Add(labels), state("warm"), state("parked"), state("starting")};
  }
  std::mutex mutex;
  std::unordered_map<kube::Key, Gauges, kube::KeyHash> replicas;  // guarded by mutex
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::reconciled(const char* result, std::chrono::steady_clock::duration took) {
  impl_->reconciles.Add({{"result", result}}).Increment();
  impl_->duration.Observe(std::chrono::duration<double>(took).count());
  if (std::string_view(result) == "error") {
    impl_->errorCount.Increment();
  }
}

void Metrics::scaled(const char* direction) {
  impl_->scalings.Add({{"direction", direction}}).Increment();
}
void Metrics::eventDropped() {
  impl_->droppedCount.Increment();
}

void Metrics::setReplicas(const kube::Key& function, const Replicas& replicas) {
  const std::scoped_lock lock(impl_->mutex);
  auto it = impl_->replicas.find(function);
  if (it == impl_->replicas.end()) {
    it = impl_->replicas.emplace(function, impl_->gaugesOf(function)).first;
  }
  it->second.desired->Set(replicas.desired);
  it->second.ready->Set(replicas.warm);
  it->second.warm->Set(replicas.warm);
  it->second.parked->Set(replicas.parked);
  it->second.starting->Set(replicas.all - replicas.warm - replicas.parked);
}

void Metrics::forget(const kube::Key& function) {
  const std::scoped_lock lock(impl_->mutex);
  const auto it = impl_->replicas.find(function);
  if (it != impl_->replicas.end()) {
    impl_->desired.Remove(it->second.desired);
    impl_->ready.Remove(it->second.ready);
    for (Gauge* state : {it->second.warm, it->second.parked, it->second.starting}) {
      impl_->states.Remove(state);
    }
    impl_->replicas.erase(it);
  }
}

void Metrics::setQueueDepth(std::size_t depth) {
  impl_->depth.Set(static_cast<double>(depth));
}

void Metrics::setWatchRestarts(const std::string& resource, std::int64_t total) {
  const std::scoped_lock lock(impl_->mutex);
  Counter& counter = impl_->restarts.Add({{"resource", resource}});
  if (const double more = static_cast<double>(total) - counter.Value(); more > 0) {
    counter.Increment(more);
  }
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace pilotlight::op
