// A Kubernetes API in memory: objects, one rising resourceVersion, conflicts, watch from a version, server-side apply
// with field ownership, finalizers, owner-reference deletion, scale, pods' graceful deletion. Deliberately small: what
// it can't promise is tested on the real API server.
// Expected flow: construct, hand out as kube::Client, serve until destroyed; shutdown() first, so that watches end.
#pragma once

#include <functional>
#include <memory>

#include "kube/client.h"

namespace pilotlight::kube {

struct MemoryClusterOptions {
  std::size_t historyPerResource = 4096;          ///< events kept for watches, and waiting for one; older resourceVersions are Gone
  std::size_t historyBytesPerResource = 4 << 20;  ///< of superseded states kept for watches
  /// Checks and defaults an object before it is stored (what a CRD's schema does). The error is the message. Called on
  /// writes of the main resource; its metadata and status are not taken from the result. Must not call the cluster.
  std::function<std::expected<Json, std::string>(const Json&)> admit;
  std::function<std::chrono::system_clock::time_point()> now;  ///< default: the system clock
};

class MemoryCluster final : public Client {
 public:
  explicit MemoryCluster(MemoryClusterOptions options = {});
  ~MemoryCluster() override;

  /// Cancels every watch and makes every later call fail with `cancelled`.
  void shutdown();

  Result<Object> get(const Resource& resource, const Key& key) override;
  Result<ObjectList> list(const Resource& resource, const ListOptions& options) override;
  Result<std::unique_ptr<WatchStream>> watch(const Resource& resource, const WatchOptions& options) override;
  Result<Object> create(const Resource& resource, const Json& object, const std::string& fieldManager) override;
  Result<Object> update(const Resource& resource, const Json& object, const std::string& fieldManager) override;
  Result<Object> apply(const Resource& resource, const Json& object, const ApplyOptions& options) override;
  Result<Object> applyStatus(const Resource& resource, const Json& object, const ApplyOptions& options) override;
  Result<Object> mergePatch(const Resource& resource, const Key& key, const Json& patch, const std::string& fieldManager,
                            const std::string& subresource) override;
  Result<Object> patchScale(const Resource& resource, const Key& key, int replicas, const std::string& resourceVersion,
                            const std::string& fieldManager) override;
  Result<void> remove(const Resource& resource, const Key& key, const DeleteOptions& options) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pilotlight::kube
