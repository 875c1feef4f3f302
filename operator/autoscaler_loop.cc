#include "operator/autoscaler_loop.h"

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "api/api.h"
#include "core/warmth.h"
#include "operator/gather.h"

namespace pilotlight::op {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kDemandSpacing{5};  // a burst of demands is looked at together

}  // namespace

struct AutoscalerLoop::Inbox {
  using Keys = std::unordered_set<kube::Key, kube::KeyHash>;

  std::mutex mutex;
  std::condition_variable wake;
  Keys demanded;  // guarded by mutex, as all below: to be looked at now
  Keys touched;   // to be looked at with every tick
  bool stopping = false;

  void demand(kube::Key key) {
    {
      const std::scoped_lock lock(mutex);
      demanded.insert(std::move(key));
    }
    wake.notify_one();
  }

  /// Waits for the next tick (none when there is nothing to tick for) or a demand. False: stop.
  bool wait(bool ticking, Clock::time_point nextTick, Clock::time_point notBefore, Keys& demands, Keys& touches) {
    std::unique_lock lock(mutex);
    const auto called = [this] { return stopping || !demanded.empty() || !touched.empty(); };
    if (ticking) {
      wake.wait_until(lock, nextTick, called);
    } else {
      wake.wait(lock, called);
    }
    if (!stopping && Clock::now() < notBefore) {
      wake.wait_until(lock, notBefore, [this] { return stopping; });
    }
    demands.swap(demanded);
    touches.swap(touched);
    return !stopping;
  }
};

AutoscalerLoop::AutoscalerLoop(kube::Client& client, core::LoadSource& loads, const Caches& caches, const Log& log, Metrics& metrics,
                               WarmthLoop& warmth, AutoscalerOptions options)
    : client_(client),
      loads_(loads),
      caches_(caches),
      log_(log),
      metrics_(metrics),
      warmth_(warmth),
      options_(options),
      inbox_(std::make_shared<Inbox>()) {}

AutoscalerLoop::~AutoscalerLoop() {
  stop();
}

void AutoscalerLoop::start() {
  loads_.onDemand([inbox = inbox_](const std::string& namespace_, const std::string& name) { inbox->demand({namespace_, name}); });
  thread_ = std::thread([this] { run(); });
}

void AutoscalerLoop::stop() {
  {
    const std::scoped_lock lock(inbox_->mutex);
    inbox_->stopping = true;
  }
  inbox_->wake.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void AutoscalerLoop::touch(const kube::Key& function) {
  {
    const std::scoped_lock lock(inbox_->mutex);
    inbox_->touched.insert(function);
  }
  inbox_->wake.notify_one();
}

void AutoscalerLoop::run() {
  Clock::time_point nextTick = Clock::now() + options_.tick;
  Clock::time_point notBefore{};
  for (;;) {
    Inbox::Keys due, touched;
    if (!inbox_->wait(!tracked_.empty(), nextTick, notBefore, due, touched)) {
      return;
    }
    if (tracked_.empty()) {
      nextTick = Clock::now() + options_.tick;
    }
    for (const auto& key : touched) {
      tracked_.try_emplace(key);
    }
    const bool ticked = Clock::now() >= nextTick;
    if (ticked) {
      nextTick = Clock::now() + options_.tick;
      for (const auto& [key, tracked] : tracked_) {
        due.insert(key);
      }
    }
    if (due.empty()) {
      continue;
    }
    notBefore = Clock::now() + kDemandSpacing;
    // Complete before and after, so it was in between.
    bool complete = loads_.complete();
    const Loads loads = currentLoads();
    complete = complete && loads_.complete();
    for (const auto& key : due) {
      if (!evaluate(key, loads, complete, ticked)) {
        tracked_.erase(key);
      }
    }
  }
}

AutoscalerLoop::Loads AutoscalerLoop::currentLoads() const {
  Loads loads;
  for (auto& load : loads_.loads()) {
    kube::Key key{load.namespace_, load.name};
    loads.insert_or_assign(std::move(key), std::move(load));
  }
  return loads;
}

// False when there is nothing to watch over any more.
// `replace`: replicas that were lit are replaced. Not on demand: the one that is being lit needs the CPU now.
bool AutoscalerLoop::evaluate(const kube::Key& function, const Loads& loads, bool complete, bool replace) {
  const kube::Object object = caches_.functions.store().get(function);
  if (!object || object.deleting()) {
    return false;
  }
  Tracked& tracked = tracked_[function];
  if (tracked.uid != object.uid()) {
    tracked = Tracked{};  // a new Function of the same name has no history
  }
  if (!readSpec(object, tracked)) {
    return false;
  }
  const auto backends = backendsOf(function);
  const auto pods = podsOf(function);
  const bool parks = tracked.parked > 0 || std::ranges::any_of(pods, &core::PodState::parked);
  if (backends.empty() || tracked.spec.bounds.pinned) {
    if (parks) {
      keepWarmth(function, tracked, {}, {});
    }
    return hasReplicas(function);  // the count is the reconciler's, for now
  }
  const core::LoadSample sample = sampleOf(function, loads, complete, tracked);
  const bool active = sample.partial || sample.inFlight + sample.queued > 0 || sample.now - sample.lastActive < tracked.spec.toZeroAfter;
  const auto ready = std::ranges::count_if(pods, [](const auto& pod) { return pod.ready && !pod.parked; });
  core::ReplicaCounts counts{.current = 0, .ready = static_cast<int>(ready)};
  std::vector<int> weights;
  for (const auto& backend : backends) {
    const auto of = [&](const auto& pod) { return pod.parked && pod.version == backend.version; };
    const int parked = static_cast<int>(std::ranges::count_if(pods, of));
    // What runs its handler though nobody asked for it is yet to be parked, and not a reason to have another one.
    counts.current += std::max(backend.replicas - (active ? parked : std::max(parked, tracked.parked)), 0);
    weights.push_back(backend.weight);
  }
  const auto decision = tracked.history.decide(tracked.spec, sample, counts);
  const auto lit = core::splitReplicas(decision.replicas, weights);
  const auto shares = core::withParked(lit, weights, tracked.parked, tracked.spec.bounds.max);
  const bool settled = !parks || keepWarmth(function, tracked, backends, lit);
  tracked.held = settled ? 0 : tracked.held + (replace ? 1 : 0);
  const bool hold = !settled && tracked.held <= options_.parkingTicks;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const int wanted = replace ? shares[i] : std::min(shares[i], std::max(lit[i], backends[i].replicas));
    if (wanted != backends[i].replicas && !(hold && wanted < backends[i].replicas)) {
      scale(function, backends[i], wanted, decision);
    }
  }
  return decision.replicas > 0 || hasReplicas(function);
}

core::LoadSample AutoscalerLoop::sampleOf(const kube::Key& function, const Loads& loads, bool complete, Tracked& tracked) {
  core::LoadSample sample{.now = Clock::now(), .partial = !complete};
  if (const auto load = loads.find(function); load != loads.end()) {
    if (load->second.at != Clock::time_point{}) {
      sample.now = load->second.at;  // the integral is of that moment: with another the average would be off by the difference
    }
    sample.inFlight = load->second.inFlight;
    sample.queued = load->second.queued;
    sample.concurrencyMillis = load->second.concurrencyMillis;
    sample.lastActive = load->second.lastActive;
    if (std::exchange(tracked.requests, load->second.requests) != load->second.requests || sample.inFlight + sample.queued > 0) {
      tracked.activeAt = Clock::now();
    }
  }
  sample.now = tracked.at = std::max(sample.now, tracked.at);  // of two gateways, one may have been read before the other
  return sample;
}

bool AutoscalerLoop::readSpec(const kube::Object& object, Tracked& tracked) const {
  if (tracked.parsedVersion == object.resourceVersion()) {
    return true;
  }
  const auto function = api::readFunction(object.json());
  if (!function) {
    return !tracked.parsedVersion.empty();  // keep to what was last valid
  }
  tracked.uid = object.uid();
  tracked.parked = function->spec.replicas ? 0 : function->spec.scale.parked;
  tracked.parsedVersion = object.resourceVersion();
  tracked.spec = {.bounds = core::replicaBounds(function->spec, function->status.initialScaleReached),
                  .targetPerReplica = core::targetPerReplica(function->spec.concurrency),
                  .toZeroAfter = function->spec.scale.toZeroAfter,
                  .stableWindow = options_.stableWindow,
                  .panicWindow = options_.panicWindow};
  return true;
}

std::vector<AutoscalerLoop::Backend> AutoscalerLoop::backendsOf(const kube::Key& function) const {
  std::vector<Backend> backends;
  const kube::Object route = caches_.routes.store().get(function);
  const auto* list = route ? route.at("/spec/backends") : nullptr;
  if (list == nullptr || !list->is_array()) {
    return backends;
  }
  for (const auto& entry : *list) {
    Backend backend;
    backend.deployment = caches_.deployments.store().get({function.namespace_, entry.value("deployment", "")});
    backend.weight = entry.value("weight", 0);
    backend.version = entry.value("version", std::int64_t{0});
    if (backend.deployment && backend.weight > 0) {
      backend.replicas = deploymentState(backend.deployment).replicas;
      backends.push_back(std::move(backend));
    }
  }
  return backends;
}

// Of any version: one that is being brought up may take the traffic without any further word from its Deployment.
bool AutoscalerLoop::hasReplicas(const kube::Key& function) const {
  return std::ranges::any_of(caches_.ownedBy(caches_.deployments, function),
                             [](const kube::Object& deployment) { return deploymentState(deployment).replicas > 0; });
}

// The version that is to take the traffic has all its replicas lit until it does: whether its handler starts decides that.
bool AutoscalerLoop::keepWarmth(const kube::Key& function, const Tracked& tracked, const std::vector<Backend>& backends,
                                const std::vector<int>& lit) {
  const bool look = Clock::now() - tracked.activeAt < options_.parkedLook;
  const std::string target = std::to_string(caches_.functions.store().get(function).intAt("/status/versions/latest"));
  bool settled = true;
  for (const auto& deployment : caches_.ownedBy(caches_.deployments, function)) {
    const auto backend = std::ranges::find(backends, deployment.name(), [](const Backend& each) { return each.deployment.name(); });
    if (backend != backends.end()) {
      settled &= warmth_.want(deployment,
                              {.lit = lit[static_cast<std::size_t>(backend - backends.begin())], .parked = tracked.parked, .look = look});
    } else if (deployment.label(api::kLabelVersion) == target) {
      warmth_.want(deployment, {.lit = deploymentState(deployment).replicas});
    }
  }
  return settled;
}

std::vector<core::PodState> AutoscalerLoop::podsOf(const kube::Key& function) const {
  std::vector<core::PodState> pods;
  for (const auto& object : caches_.ownedBy(caches_.pods, function)) {
    if (!object.deleting()) {
      pods.push_back(podState(object));
    }
  }
  return pods;
}

void AutoscalerLoop::scale(const kube::Key& function, const Backend& backend, int replicas, const core::ScaleDecision& why) {
  const kube::Key key = backend.deployment.key();
  const auto scaled =
      client_.patchScale(kube::resources::deployments, key, replicas, backend.deployment.resourceVersion(), api::kManagerAutoscaler);
  if (!scaled) {
    if (scaled.error().code == kube::ErrorCode::conflict) {
      inbox_->demand(function);  // decided on something old: look again
    } else if (scaled.error().code != kube::ErrorCode::notFound) {
      log_.error("deployment not scaled", {{"function", function.toString()}, {"error", scaled.error().message}});
    }
    return;
  }
  metrics_.scaled(replicas == 0 ? "to_zero" : replicas > backend.replicas ? "up" : "down");
  log_.info("deployment scaled", {{"function", function.toString()},
                                  {"deployment", key.name},
                                  {"from", std::to_string(backend.replicas)},
                                  {"to", std::to_string(replicas)},
                                  {"average", std::to_string(why.average)},
                                  {"panic", why.panic ? "true" : "false"},
                                  {"by", "autoscaler"}});
}

}  // namespace pilotlight::op
