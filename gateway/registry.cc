#include "gateway/registry.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "api/api.h"

namespace pilotlight::gateway {

namespace {

constexpr std::chrono::seconds kAcknowledgeRetry{1};

kube::InformerOptions podOptions() {
  kube::InformerOptions options;
  options.labelSelector = api::kLabelFunction;
  return options;
}

bool isReady(const kube::Object& pod) {
  const kube::Json* conditions = pod.at("/status/conditions");
  if (!conditions || !conditions->is_array()) return false;
  for (const auto& condition : *conditions)
    if (condition.value("type", "") == "Ready") return condition.value("status", "") == "True";
  return false;
}

bool ended(const kube::Object& pod) {
  const std::string& phase = pod.stringAt("/status/phase");
  return pod.deleting() || phase == "Failed" || phase == "Succeeded";
}

kube::Key functionOf(const kube::Object& pod) {
  return {pod.namespace_(), pod.label(api::kLabelFunction)};
}

Route routeOf(const api::FunctionRouteSpec& spec, std::shared_ptr<FunctionEntry> entry) {
  return {.entry = std::move(entry),
          .limits = spec.limits,
          .queueWait = spec.queue.wait,
          .idleTimeout = spec.idleTimeout,
          .visibility = spec.visibility,
          .retry = spec.retry,
          .closed = spec.reserved == 0};
}

std::int64_t versionOf(const kube::Object& pod) {
  const std::string& text = pod.label(api::kLabelVersion);
  std::int64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace

Registry::Registry(kube::Client& client, Pool& pool, std::string gatewayName, PendingBounds pending, Hooks hooks)
    : client_(client),
      pool_(pool),
      gatewayName_(std::move(gatewayName)),
      pendingBounds_(pending),
      hooks_(std::move(hooks)),
      routes_(client, kube::resources::functionRoutes),
      pods_(client, kube::resources::pods, podOptions()) {
  routes_.addHandler([this](const kube::Object& before, const kube::Object& after) { onRoute(before, after); });
  pods_.addHandler([this](const kube::Object& before, const kube::Object& after) { onPod(before, after); });
}

Registry::~Registry() {
  stop();
}

bool Registry::start(std::chrono::milliseconds syncTimeout) {
  thread_ = std::thread([this] { run(); });
  routes_.start();
  pods_.start();
  const auto deadline = Clock::now() + syncTimeout;
  if (!routes_.waitForSync(syncTimeout) || !pods_.waitForSync(syncTimeout)) return false;
  std::unique_lock lock(mutex_);
  return wake_.wait_until(lock, deadline, [&] { return !dirty_ && !building_; });
}

void Registry::stop() {
  routes_.stop();
  pods_.stop();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<FunctionEntry> Registry::entryOf(const kube::Key& key) {
  auto& entry = entries_[key];
  if (!entry) entry = std::make_shared<FunctionEntry>(key, pool_);
  return entry;
}

void Registry::dropEntryIfUnused(const kube::Key& key) {
  if (routeStates_.contains(key)) return;
  const auto found = entries_.find(key);
  if (found != entries_.end() && found->second->replicas() == 0) entries_.erase(found);
}

std::vector<std::shared_ptr<FunctionEntry>> Registry::entries() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<FunctionEntry>> out;
  out.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) out.push_back(entry);
  return out;
}

// --- routes ---

void Registry::onRoute(const kube::Object& before, const kube::Object& after) {
  if (!after) {
    std::lock_guard lock(mutex_);
    routeStates_.erase(before.key());
    dropEntryIfUnused(before.key());
    dirty_ = true;
    wake_.notify_all();
    return;
  }
  if (before && before.generation() == after.generation() && before.uid() == after.uid()) return;  // only its status changed
  auto route = api::readFunctionRoute(after.json());
  if (!route) return hooks_.log("FunctionRoute is not usable; the last good one stays", after.key(), api::toString(route.error()));
  auto shared = std::make_shared<const api::FunctionRoute>(std::move(*route));
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    routeStates_[after.key()] = {shared, 0};
    entry = entryOf(after.key());
    dirty_ = true;
  }
  entry->configure(shared->spec);
  wake_.notify_all();
}

void Registry::rebuild() {
  auto snapshot = std::make_shared<Snapshot>();
  std::vector<std::shared_ptr<const api::FunctionRoute>> routes;
  {
    std::lock_guard lock(mutex_);
    snapshot->routes.reserve(routeStates_.size());
    for (const auto& [key, state] : routeStates_) {
      routes.push_back(state.route);
      snapshot->routes.push_back(routeOf(state.route->spec, entryOf(key)));
    }
  }
  std::vector<const api::FunctionRoute*> plain;
  plain.reserve(routes.size());
  for (const auto& route : routes) plain.push_back(route.get());
  snapshot->table = core::RouteTable::build(plain);
  hooks_.publish(std::move(snapshot));

  for (const auto& route : routes) {
    const kube::Key key{route->metadata.namespace_, route->metadata.name};
    {
      std::lock_guard lock(mutex_);
      const auto state = routeStates_.find(key);
      if (stopping_ || state == routeStates_.end() || state->second.route != route ||
          state->second.acknowledged == route->metadata.generation)
        continue;
      state->second.acknowledged = route->metadata.generation;
    }
    acknowledge(*route);
    resumeDue();  // many acknowledgements take long; a replica that is back must not wait for them
  }
}

void Registry::acknowledge(const api::FunctionRoute& route) {
  api::FunctionRouteStatus status;
  status.gateways.push_back({gatewayName_, route.metadata.generation});
  const kube::Json object{{"apiVersion", api::kApiVersion},
                          {"kind", "FunctionRoute"},
                          {"metadata", {{"name", route.metadata.name}, {"namespace", route.metadata.namespace_}}},
                          {"status", api::writeStatus(status)}};
  kube::ApplyOptions options;
  options.fieldManager = std::string(api::kManagerGateway) + "-" + gatewayName_;
  auto applied = client_.applyStatus(kube::resources::functionRoutes, object, options);
  if (applied || applied.error().code == kube::ErrorCode::notFound) return;
  hooks_.log("FunctionRoute not acknowledged; trying again", {route.metadata.namespace_, route.metadata.name}, applied.error().message);
  std::lock_guard lock(mutex_);
  if (const auto state = routeStates_.find({route.metadata.namespace_, route.metadata.name}); state != routeStates_.end())
    state->second.acknowledged = 0;
  retryAcknowledge_ = Clock::now() + kAcknowledgeRetry;
}

// --- replicas ---

void Registry::markUp(const kube::Object& pod, const net::Address& address) {
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    entry = entryOf(functionOf(pod));
  }
  entry->up(pod.uid(), pod.name(), versionOf(pod), address);
}

void Registry::onPod(const kube::Object& before, const kube::Object& after) {
  const kube::Object& pod = after ? after : before;
  const kube::Key function = functionOf(pod);
  const std::string& ip = pod.stringAt("/status/podIP");
  if (!after || ended(after)) {
    std::shared_ptr<FunctionEntry> entry;
    {
      std::lock_guard lock(mutex_);
      if (after)
        podsByUid_[after.uid()] = after;
      else
        podsByUid_.erase(before.uid());
      pending_.erase(pod.uid());
      if (const auto found = entries_.find(function); found != entries_.end()) entry = found->second;
    }
    if (!entry) return;
    entry->down(pod.uid());
    if (entry->needsWake()) hooks_.wake(entry);
    if (!ip.empty()) hooks_.forget({ip, api::kShimPort});
    std::lock_guard lock(mutex_);
    dropEntryIfUnused(function);
    return;
  }
  std::optional<Registration> kept;
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    podsByUid_[after.uid()] = after;
    if (const auto found = pending_.find(after.uid()); found != pending_.end()) {
      kept = found->second.registration;
      pending_.erase(found);
    }
    entry = entryOf(function);
  }
  const bool ready = isReady(after), wasReady = before && isReady(before);
  if (kept && (ip.empty() || ip == kept->address.ip)) return markUp(after, kept->address);
  if (ready && !wasReady && !ip.empty()) return markUp(after, {ip, api::kShimPort});
  if (!wasReady || ready) return;
  entry->down(after.uid());
  if (entry->needsWake()) hooks_.wake(entry);
}

Registry::Registered Registry::registerShim(const Registration& registration) {
  kube::Object pod;
  {
    std::lock_guard lock(mutex_);
    if (const auto known = podsByUid_.find(registration.uid); known != podsByUid_.end()) {
      pod = known->second;
    } else {
      const auto now = Clock::now();
      std::erase_if(pending_, [&](const auto& item) { return item.second.until < now; });
      if (pending_.size() >= pendingBounds_.most) return Registered::full;
      pending_[registration.uid] = {registration, now + pendingBounds_.time};
      return Registered::kept;
    }
  }
  const std::string& ip = pod.stringAt("/status/podIP");
  if (pod.name() != registration.pod || pod.namespace_() != registration.namespace_ || (!ip.empty() && ip != registration.address.ip))
    return Registered::contradicts;
  if (ended(pod)) return Registered::contradicts;
  markUp(pod, registration.address);
  return Registered::taken;
}

void Registry::resumeLater(std::shared_ptr<FunctionEntry> entry, const std::string& uid, std::chrono::milliseconds delay) {
  {
    std::lock_guard lock(mutex_);
    resumes_.emplace(Clock::now() + delay, Resume{std::move(entry), uid});
  }
  wake_.notify_all();
}

void Registry::resumeDue() {
  std::vector<Resume> due;
  {
    std::lock_guard lock(mutex_);
    due = dueResumes(Clock::now());
  }
  for (const Resume& resume : due) resume.entry->resume(resume.uid);
}

std::vector<Registry::Resume> Registry::dueResumes(Clock::time_point now) {
  std::vector<Resume> due;
  while (!resumes_.empty() && resumes_.begin()->first <= now) {
    due.push_back(std::move(resumes_.begin()->second));
    resumes_.erase(resumes_.begin());
  }
  return due;
}

// --- the thread ---

void Registry::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto due = dueResumes(Clock::now());
    if (Clock::now() >= retryAcknowledge_) {
      retryAcknowledge_ = Clock::time_point::max();
      dirty_ = true;
    }
    const bool build = std::exchange(dirty_, false);
    if (!build && due.empty()) {
      const auto next = std::min(retryAcknowledge_, resumes_.empty() ? Clock::time_point::max() : resumes_.begin()->first);
      if (next == Clock::time_point::max())
        wake_.wait(lock);
      else
        wake_.wait_until(lock, next);
      continue;
    }
    building_ = build;
    lock.unlock();
    for (const Resume& resume : due) resume.entry->resume(resume.uid);
    if (build) rebuild();
    lock.lock();
    building_ = false;
    wake_.notify_all();
  }
}

}  // namespace pilotlight::gateway
