#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "kube/memory_state.h"
#include "kube/meta.h"

namespace pilotlight::kube {

namespace {

/// Versions begin here, so that small numbers are always from before: Gone.
constexpr std::uint64_t kFirstVersion = 1000;

const Json& ownersOf(const Object& object) {
  static const Json none = Json::array();
  const Json* owners = object ? object.at("/metadata/ownerReferences") : nullptr;
  return owners != nullptr ? *owners : none;
}

}  // namespace

MemoryCluster::State::State(MemoryClusterOptions options) : options_(std::move(options)), resourceVersion_(kFirstVersion) {}

bool MemoryCluster::State::stopped() {
  std::lock_guard lock(mutex_);
  return stopped_;
}

Table& MemoryCluster::State::table(const Resource& resource) {
  std::lock_guard lock(mutex_);
  const auto [found, added] = tables_.try_emplace(resource, resource);
  if (added) found->second.history.forgottenUpTo = kFirstVersion;
  return found->second;
}

const Stored* MemoryCluster::State::find(const Table& table, const Key& key) const {
  const auto found = table.objects.find(key);
  return found == table.objects.end() ? nullptr : &found->second;
}

Object MemoryCluster::State::store(Table& table, const Key& key, Json object, Ownership owners) {
  std::unique_lock lock(mutex_);
  const std::uint64_t number = ++resourceVersion_;
  object["metadata"]["resourceVersion"] = std::to_string(number);
  const Object after(std::move(object));
  auto version = std::make_shared<Version>(after);
  Stored& stored = table.objects[key];
  const std::shared_ptr<Version> obsolete = std::exchange(stored.version, version);
  stored.owners = std::move(owners);
  const Object before = obsolete ? obsolete->live() : Object();
  table.history.add(number, obsolete, std::move(version), false, options_.historyPerResource);
  publish(table, Change{number, before, after, false}, obsolete, std::move(lock));
  index(table, key, before, after);
  return after;
}

Object MemoryCluster::State::erase(Table& table, const Key& key) {
  std::unique_lock lock(mutex_);
  const auto found = table.objects.find(key);
  const std::shared_ptr<Version> obsolete = std::move(found->second.version);
  table.objects.erase(found);
  const std::uint64_t number = ++resourceVersion_;
  const Object before = obsolete->live();
  const Object last = renumbered(before, number);
  auto version = std::make_shared<Version>(last);
  table.history.add(number, obsolete, version, true, options_.historyPerResource);
  publish(table, Change{number, before, last, true}, obsolete, std::move(lock));
  pack(table, *version, last);
  index(table, key, before, Object());
  return last;
}

void MemoryCluster::State::publish(Table& table, Change change, const std::shared_ptr<Version>& obsolete,
                                   std::unique_lock<std::mutex> lock) {
  std::vector<std::shared_ptr<WatchQueue>> toWake;
  Object shared;
  std::erase_if(table.watches, [&](const std::weak_ptr<WatchQueue>& weak) {
    std::shared_ptr<WatchQueue> queue = weak.lock();
    if (!queue) return true;
    if (queue->push(change, shared)) toWake.push_back(std::move(queue));
    return false;
  });
  lock.unlock();
  for (const auto& queue : toWake) queue->wake();
  if (obsolete) pack(table, *obsolete, change.before);
}

void MemoryCluster::State::pack(Table& table, Version& version, const Object& live) {
  std::string packed = Version::packed(live);
  const std::size_t size = packed.size();
  Object dropped;  // after the lock is released
  std::lock_guard lock(mutex_);
  dropped = version.pack(std::move(packed));
  table.history.charge(size, options_.historyBytesPerResource);
}

void MemoryCluster::State::index(Table& table, const Key& key, const Object& before, const Object& after) {
  const Dependent dependent{&table, key};
  if (after && ownersOf(before) == ownersOf(after)) return;
  for (const Json& owner : ownersOf(before)) {
    const auto found = dependents_.find(owner["uid"].get_ref<const std::string&>());
    if (found == dependents_.end()) continue;
    found->second.erase(dependent);
    if (found->second.empty()) dependents_.erase(found);
  }
  for (const Json& owner : ownersOf(after)) dependents_[owner["uid"].get_ref<const std::string&>()].insert(dependent);
  if (!ownersOf(after).empty()) garbage_.push_back(dependent);
  if (after) return;
  const auto orphans = dependents_.find(before.uid());
  if (orphans != dependents_.end()) garbage_.insert(garbage_.end(), orphans->second.begin(), orphans->second.end());
}

std::string MemoryCluster::State::newUid() {
  const unsigned long long high = random_();
  const unsigned long long low = random_();  // version 4: 122 random bits
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08llx-%04llx-4%03llx-%04llx-%012llx", high >> 32, (high >> 16) & 0xffff, high & 0xfff,
                ((low >> 48) & 0x3fff) | 0x8000, low & 0xffffffffffff);
  return text.data();
}

}  // namespace pilotlight::kube
