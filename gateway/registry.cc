#include "gateway/registry.h"

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "gateway/owners.h"

namespace pilotlight::gateway {

namespace {

constexpr int kPage = 100;  // objects parsed at once: a gateway is small

kube::InformerOptions podOptions(const std::string& namespace_) {
  kube::InformerOptions options;
  options.namespace_ = namespace_;
  options.labelSelector = api::kLabelFunction;
  options.pageSize = kPage;
  options.keep = {"/metadata/labels",         "/status/phase",      "/status/podIP",
                  "/status/podIPs",           "/status/conditions", "/status/initContainerStatuses",
                  "/status/containerStatuses"};
  return options;
}

kube::InformerOptions routeOptions(const std::string& namespace_) {
  kube::InformerOptions options;
  options.namespace_ = namespace_;
  options.keep = {"/spec", "/status/owner"};  // the rest of the status is for others
  options.storeIdentity = true;
  options.pageSize = kPage;
  return options;
}

Route routeOf(const api::FunctionRouteSpec& spec, std::shared_ptr<FunctionEntry> entry) {
  return {.entry = std::move(entry),
          .limits = spec.limits,
          .queueWait = spec.queue.wait,
          .idleTimeout = spec.idleTimeout,
          .visibility = spec.visibility,
          .retry = spec.retry,
          .limited = spec.reserved.has_value(),
          .closed = spec.reserved == 0};
}

}  // namespace

Registry::Registry(kube::Client& client, const std::string& namespace_, Pool& pool, QueueKeeper& queues, std::string gatewayName,
                   core::HostRules hosts, PendingBounds pending, Hooks hooks)
    : pool_(pool),
      queues_(queues),
      hosts_(std::move(hosts)),
      pendingBounds_(pending),
      hooks_(std::move(hooks)),
      acknowledger_(client, std::move(gatewayName), {}, hooks_.log),
      routes_(client, kube::resources::functionRoutes, routeOptions(namespace_)),
      pods_(client, kube::resources::pods, podOptions(namespace_)) {
  routes_.addHandler([this](const kube::Object& before, const kube::Object& after) { onRoute(before, after); });
  pods_.addHandler([this](const kube::Object& before, const kube::Object& after) { onPod(before, after); });
}

Registry::~Registry() {
  stop();
}

bool Registry::start(std::chrono::milliseconds syncTimeout) {
  thread_ = std::thread([this] { run(); });
  acknowledger_.start();
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
  acknowledger_.stop();
}

std::shared_ptr<FunctionEntry> Registry::entryOf(const kube::Key& key) {
  auto& entry = entries_[key];
  // A Function made anew takes over what waits for it: there is never a second entry of a name.
  if (!entry && left_.contains(key)) entry = left_.extract(key).mapped().lock();
  if (!entry) entry = std::make_shared<FunctionEntry>(key, pool_, &queues_);
  return entry;
}

void Registry::dropEntryIfUnused(const kube::Key& key) {
  if (routeStates_.contains(key)) return;
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second->replicas() > 0) return;
  left_[key] = std::move(found->second);
  entries_.erase(found);
}

std::vector<std::shared_ptr<FunctionEntry>> Registry::entries() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<FunctionEntry>> out;
  out.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) out.push_back(entry);
  return out;
}

std::shared_ptr<FunctionEntry> Registry::find(const kube::Key& function) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(function);
  return found == entries_.end() ? nullptr : found->second;
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
  if (before && before.generation() == after.generation() && before.uid() == after.uid()) {  // only its status changed
    if (const auto owner = ownerIn(after))
      if (const auto entry = find(after.key())) hooks_.heardOwner(entry, *owner);
    return;
  }
  auto route = api::readFunctionRoute(after.json());
  if (!route) return hooks_.log("FunctionRoute is not usable; the last good one stays", after.key(), api::toString(route.error()));
  auto shared = std::make_shared<const api::FunctionRoute>(std::move(*route));
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    routeStates_[after.key()] = {shared, false};
    entry = entryOf(after.key());
    dirty_ = true;
  }
  entry->configure(shared->spec);
  if (const auto owner = ownerIn(after)) hooks_.heardOwner(entry, *owner);
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
  snapshot->table = core::RouteTable::build(plain, hosts_);
  hooks_.publish(std::move(snapshot));

  std::lock_guard lock(mutex_);
  std::erase_if(left_, [](const auto& each) { return each.second.expired(); });
  for (const auto& route : routes) {
    const kube::Key key{route->metadata.namespace_, route->metadata.name};
    const auto state = routeStates_.find(key);
    if (state == routeStates_.end() || state->second.route != route || std::exchange(state->second.acknowledged, true)) continue;
    acknowledger_.served(key, route->metadata.generation);
  }
}

void Registry::resumeLater(std::shared_ptr<FunctionEntry> entry, const std::string& uid, std::chrono::milliseconds delay) {
  {
    std::lock_guard lock(mutex_);
    resumes_.emplace(Clock::now() + delay, Resume{std::move(entry), uid});
  }
  wake_.notify_all();
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
    const bool build = std::exchange(dirty_, false);
    if (!build && due.empty()) {
      if (resumes_.empty())
        wake_.wait(lock);
      else
        wake_.wait_until(lock, resumes_.begin()->first);
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
