#include "gateway/registry.h"

#include <charconv>
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
  options.keep = {"/metadata/labels", "/status/phase", "/status/podIP", "/status/conditions"};
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
          .limited = spec.reserved.has_value(),
          .closed = spec.reserved == 0};
}

std::int64_t versionOf(const kube::Object& pod) {
  const std::string& text = pod.label(api::kLabelVersion);
  std::int64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

}  // namespace

Registry::Registry(kube::Client& client, const std::string& namespace_, Pool& pool, std::string gatewayName, PendingBounds pending,
                   Hooks hooks)
    : pool_(pool),
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
  snapshot->table = core::RouteTable::build(plain);
  hooks_.publish(std::move(snapshot));

  std::lock_guard lock(mutex_);
  for (const auto& route : routes) {
    const kube::Key key{route->metadata.namespace_, route->metadata.name};
    const auto state = routeStates_.find(key);
    if (state == routeStates_.end() || state->second.route != route || std::exchange(state->second.acknowledged, true)) continue;
    acknowledger_.served(key, route->metadata.generation);
  }
}

// --- replicas ---

void Registry::markUp(const kube::Object& pod, const net::Address& address) {
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    entry = entryOf(functionOf(pod));
  }
  entry->up(pod.uid(), pod.name(), versionOf(pod), address);
  if (entry->limited()) hooks_.look(entry);
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
    if (after && mayRun(after))
      entry->down(pod.uid());
    else
      entry->gone(pod.uid());
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
