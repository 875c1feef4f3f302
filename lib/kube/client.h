// The Kubernetes API as the product uses it, with the API server's own semantics. Two implementations are meant to
// pass the same contract tests (tests/contract/client_contract.h): the in-memory cluster (memory.h) and, with the real
// cluster, REST.
//
// Thread-safety: every method may be called from any thread; calls block the caller until answered.
// Guarantees: a write that returns a value is visible to the next read and in every watch. `Error.timeout` is the only
// outcome that leaves a write undecided.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "kube/types.h"

namespace pilotlight::kube {

struct ListOptions {
  std::string namespace_{};     ///< empty: all namespaces
  std::string labelSelector{};  ///< equality-based terms: "a=b,c!=d,e,!f"
  int limit = 0;                ///< 0: everything in one answer
  std::string continue_{};      ///< from the previous page
  std::string fieldSelector{};  ///< "reason=FailedMount,involvedObject.kind=Pod": what the server offers for the kind
  bool metadataOnly = false;    ///< PartialObjectMetadata: what else the objects hold never leaves the server
};

struct ObjectList {
  std::vector<Object> items;
  std::string resourceVersion;  ///< to watch from
  std::string continue_;        ///< empty on the last page
};

struct WatchOptions {
  std::string namespace_{};
  std::string labelSelector{};
  std::string resourceVersion{};                                 ///< events after this version; Gone when it is too old
  std::chrono::milliseconds timeout{std::chrono::seconds(290)};  ///< the server ends the watch after this
  std::string fieldSelector{};
  bool metadataOnly = false;
};

struct WatchEvent {
  enum class Type { added, modified, deleted, bookmark };
  Type type = Type::added;
  Object object;  ///< deleted: the last state, with the deletion's resourceVersion; bookmark: only a resourceVersion
};

/// One watch. next() is called by one thread; cancel() by any.
class WatchStream {
 public:
  virtual ~WatchStream() = default;
  /// Waits for the next event. nullopt: nothing within `wait` (the watch goes on).
  /// Errors end the watch: gone, timeout (the server's, orderly), cancelled, unavailable.
  virtual Result<std::optional<WatchEvent>> next(std::chrono::milliseconds wait) = 0;
  /// Makes a waiting and every later next() return Error.cancelled.
  virtual void cancel() = 0;
};

struct ApplyOptions {
  std::string fieldManager{};  ///< required
  bool force = false;          ///< take over fields that another manager owns; otherwise conflict, naming the manager and field
  bool dryRun = false;
};

struct DeleteOptions {
  std::string uid{};                        ///< precondition, empty: none
  std::string resourceVersion{};            ///< precondition, empty: none
  std::optional<int> gracePeriodSeconds{};  ///< pods; default: their terminationGracePeriodSeconds
};

class Client {
 public:
  virtual ~Client() = default;

  virtual Result<Object> get(const Resource& resource, const Key& key) = 0;
  virtual Result<ObjectList> list(const Resource& resource, const ListOptions& options = {}) = 0;
  virtual Result<std::unique_ptr<WatchStream>> watch(const Resource& resource, const WatchOptions& options) = 0;

  // Objects sent have apiVersion, kind and metadata; without a metadata.namespace they go to "default". Of a kind with a
  // status subresource (all but FunctionVersion, ServiceAccount, Secret, ConfigMap, Event), status is ignored except by
  // applyStatus and mergePatch(…, "status").

  /// alreadyExists when it does. metadata.generateName is honoured.
  virtual Result<Object> create(const Resource& resource, const Json& object, const std::string& fieldManager) = 0;
  /// Replaces the whole object but status. A metadata.resourceVersion that is not the current one is a conflict; our own
  /// kinds need one (invalid without).
  virtual Result<Object> update(const Resource& resource, const Json& object, const std::string& fieldManager) = 0;
  /// Server-side apply: creates or merges; fields this manager applied before and now leaves out are removed when no
  /// other manager owns them. metadata.resourceVersion, when given, must be current. An apply that changes nothing
  /// does not raise the resourceVersion. Status is ignored.
  virtual Result<Object> apply(const Resource& resource, const Json& object, const ApplyOptions& options) = 0;
  /// Server-side apply of the status subresource; `object` holds apiVersion, kind, metadata.name(space) and status.
  virtual Result<Object> applyStatus(const Resource& resource, const Json& object, const ApplyOptions& options) = 0;
  /// JSON merge patch of the object (status excluded) or, with `subresource` "status", of its status.
  /// A metadata.resourceVersion in the patch must be current.
  virtual Result<Object> mergePatch(const Resource& resource, const Key& key, const Json& patch, const std::string& fieldManager,
                                    const std::string& subresource = "") = 0;
  /// Sets spec.replicas by the scale subresource (Deployment, Function). A non-empty resourceVersion must be current.
  /// Returns the Scale: metadata with the object's resourceVersion, spec.replicas, status.replicas.
  virtual Result<Object> patchScale(const Resource& resource, const Key& key, int replicas, const std::string& resourceVersion,
                                    const std::string& fieldManager) = 0;
  /// With finalizers (or, for pods, a grace period) it only sets deletionTimestamp; the object goes when the last
  /// finalizer does. Pods that have ended (Succeeded, Failed) have no grace period. Objects owned by it are deleted in the background.
  /// Deleting a pod with grace period 0 removes it.
  virtual Result<void> remove(const Resource& resource, const Key& key, const DeleteOptions& options = {}) = 0;
};

}  // namespace pilotlight::kube
