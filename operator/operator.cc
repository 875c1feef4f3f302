#include "operator/operator.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "kube/workqueue.h"
#include "operator/apply.h"
#include "operator/autoscaler_loop.h"
#include "operator/caches.h"
#include "operator/events.h"
#include "operator/gather.h"
#include "operator/log.h"
#include "operator/metrics.h"
#include "operator/mount_failures.h"
#include "operator/reconciler.h"
#include "operator/source_cache.h"
#include "operator/warmth_loop.h"

namespace pilotlight::op {

namespace {

core::PlanOptions planOptions(const OperatorOptions& options) {
  core::PlanOptions plan;
  plan.render = {.hosts = options.hosts,
                 .localPaths = options.localPaths,
                 .clusterUrlBase = options.clusterUrlBase,
                 .urlBase = options.urlBase,
                 .gateways = options.gateways,
                 .callHomeKey = options.callHomeKey,
                 .gatewayService = options.gatewayService,
                 .shimImage = options.shimImage,
                 .copyShim = !options.localPaths,
                 .handlerPort = options.localPaths ? std::nullopt : std::optional(8080),
                 .network = options.network,
                 .disruptionBudgets = !options.localPaths};
  plan.history = options.history;
  return plan;
}

bool acknowledgedBy(const kube::Object& route, const std::string& gateway) {
  const auto* acks = route.at("/status/gateways");
  return acks != nullptr && acks->is_array() &&
         std::ranges::any_of(*acks, [&](const kube::Json& ack) { return ack.value("gateway", "") == gateway; });
}

}  // namespace

struct Operator::Impl {
  Impl(kube::Client& client, core::LoadSource& load, OperatorOptions given, GatewayPods* gateways)
      : options(std::move(given)),
        plan(planOptions(options)),
        log(options.logLevel, options.log),
        caches(client, options.watchNamespace, options.hosts, log),
        events(client, log, metrics),
        sources(client, options.sourceNamespaces, [this](const kube::Key& function) { queue.add(function); }),
        mountFailures(client, options.watchNamespace, [this](const kube::Key& pod) { volumesFailed(pod); }),
        gatherer(caches, sources, mountFailures, gateways, log, plan),
        applier(client, events, log, metrics, plan, gateways != nullptr ? gateways->namespace_() : ""),
        reconciler(caches, gatherer, applier, log, metrics, plan),
        warmth(client, caches, log, {.resize = options.resizePods, .shimTimeout = options.shimTimeout}),
        autoscaler(client, load, caches, log, metrics, warmth,
                   {.tick = options.autoscaleTick,
                    .stableWindow = options.stableWindow,
                    .panicWindow = options.panicWindow,
                    .parkedLook = options.parkedLook,
                    .parkingTicks = options.parkingTicks}) {
    caches.onChange([this](const kube::Key& function) { queue.add(function); });
    caches.functions.addHandler([this](const kube::Object& before, const kube::Object& after) { sources.functionChanged(before, after); });
    caches.onReplicas([this](const kube::Key& function) { autoscaler.touch(function); });
    if (gateways != nullptr) {
      gateways->onPod([this](const GatewayPod& pod) { gatewayChanged(pod); });
    }
  }

  void volumesFailed(const kube::Key& pod) {
    if (const kube::Object object = caches.pods.store().get(pod)) {
      queue.add(functionOf(object));
    }
  }

  void gatewayChanged(const GatewayPod& pod) {
    if (!pod.gone) {
      return;
    }
    for (const auto& route : caches.routes.store().list()) {
      if (acknowledgedBy(route, pod.name)) {
        queue.add(route.key());
      }
    }
  }

  void work() {
    while (const auto key = queue.take()) {
      switch (reconciler.reconcile(*key)) {
        case Outcome::done:
          queue.forget(*key);
          break;
        case Outcome::again:
        case Outcome::failed:
          queue.addRateLimited(*key);
          break;
      }
      queue.done(*key);
    }
  }

  void stop() {
    queue.shutDown();
    for (auto& worker : workers) {
      worker.join();
    }
    workers.clear();
    autoscaler.stop();
    mountFailures.stop();
    sources.stop();
    warmth.stop();
    caches.stop();
    events.stop();
  }

  // Constant after construction.
  const OperatorOptions options;
  const core::PlanOptions plan;
  const Log log;
  mutable Metrics metrics;

  kube::WorkQueue queue{{.backoffBase = std::chrono::milliseconds(5), .backoffMax = std::chrono::seconds(30)}};
  Caches caches;
  EventRecorder events;
  SourceCache sources;
  MountFailures mountFailures;
  const Gatherer gatherer;
  const Applier applier;
  const Reconciler reconciler;
  WarmthLoop warmth;
  AutoscalerLoop autoscaler;
  std::vector<std::thread> workers;
};

Operator::Operator(kube::Client& client, core::LoadSource& load, OperatorOptions options, GatewayPods* gateways)
    : impl_(std::make_unique<Impl>(client, load, std::move(options), gateways)) {}

Operator::~Operator() {
  stop();
}

std::expected<void, std::string> Operator::start() {
  impl_->events.start();
  impl_->caches.start();
  impl_->sources.start();
  impl_->mountFailures.start();
  if (const char* late = impl_->caches.waitForSync(impl_->options.syncTimeout)) {
    stop();
    return std::unexpected("operator: list and watch " + std::string(late) + ": not in sync after " +
                           std::to_string(impl_->options.syncTimeout.count()) + " ms");
  }
  // Not needed to begin with: without them replicas keep the variables they have.
  if (!impl_->sources.waitForSync(impl_->options.sourcePatience)) {
    impl_->log.warn("Secrets and ConfigMaps are not listed yet: may the operator list and watch them in each namespace given?", {});
  }
  impl_->warmth.start();
  impl_->autoscaler.start();
  for (int i = 0; i < std::max(impl_->options.workers, 1); ++i) {
    impl_->workers.emplace_back([this] { impl_->work(); });
  }
  impl_->log.info("operator started", {{"functions", std::to_string(impl_->caches.functions.store().size())}});
  return {};
}

void Operator::stop() {
  impl_->stop();
}

std::string Operator::metrics() const {
  impl_->metrics.setQueueDepth(impl_->queue.size());
  impl_->caches.forEach(
      [this](const char* resource, const kube::Informer& informer) { impl_->metrics.setWatchRestarts(resource, informer.restarts()); });
  return impl_->metrics.text();
}

}  // namespace pilotlight::op
