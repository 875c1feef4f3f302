#include "kube/memory.h"

#include <nlohmann/json.hpp>

#include "kube/memory_state.h"
#include "kube/meta.h"

namespace pilotlight::kube {

namespace {

/// The key of an object as a client sent it; without a namespace it goes to "default".
Key keyOf(const Json& object) {
  if (!object.is_object()) return {};
  const std::string& namespace_ = metaString(object, "namespace");
  return {namespace_.empty() ? "default" : namespace_, metaString(object, "name")};
}

}  // namespace

MemoryCluster::MemoryCluster(MemoryClusterOptions options) : state_(std::make_unique<State>(std::move(options))) {}
MemoryCluster::~MemoryCluster() {
  shutdown();
}

void MemoryCluster::shutdown() {
  state_->shutdown();
}

Result<Object> MemoryCluster::get(const Resource& resource, const Key& key) {
  return state_->get(resource, key);
}

Result<ObjectList> MemoryCluster::list(const Resource& resource, const ListOptions& options) {
  return state_->list(resource, options);
}

Result<std::unique_ptr<WatchStream>> MemoryCluster::watch(const Resource& resource, const WatchOptions& options) {
  return state_->watch(resource, options);
}

Result<Object> MemoryCluster::create(const Resource& resource, const Json& object, const std::string& fieldManager) {
  return state_->create({"create", resource, keyOf(object)}, object, fieldManager);
}

Result<Object> MemoryCluster::update(const Resource& resource, const Json& object, const std::string& fieldManager) {
  return state_->update({"update", resource, keyOf(object)}, object, fieldManager);
}

Result<Object> MemoryCluster::apply(const Resource& resource, const Json& object, const ApplyOptions& options) {
  return state_->apply({"apply", resource, keyOf(object)}, object, options, "");
}

Result<Object> MemoryCluster::applyStatus(const Resource& resource, const Json& object, const ApplyOptions& options) {
  return state_->apply({"apply status of", resource, keyOf(object)}, object, options, "status");
}

Result<Object> MemoryCluster::mergePatch(const Resource& resource, const Key& key, const Json& patch, const std::string& fieldManager,
                                         const std::string& subresource) {
  return state_->mergePatch({subresource == "status" ? "patch status of" : "patch", resource, key}, patch, fieldManager, subresource);
}

Result<Object> MemoryCluster::patchScale(const Resource& resource, const Key& key, int replicas, const std::string& resourceVersion,
                                         const std::string& fieldManager) {
  return state_->patchScale({"patch scale of", resource, key}, replicas, resourceVersion, fieldManager);
}

Result<void> MemoryCluster::remove(const Resource& resource, const Key& key, const DeleteOptions& options) {
  return state_->remove({"delete", resource, key}, options);
}

void MemoryCluster::State::shutdown() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& [resource, table] : tables_) {
    for (const auto& weak : table.watches) {
      if (const auto queue = weak.lock()) queue->cancel("the cluster is shut down");
    }
    table.watches.clear();
  }
}

}  // namespace pilotlight::kube
