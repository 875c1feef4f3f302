// Deployments of the in-memory cluster: makes and deletes their Pods.
//
// Level-triggered: a watch only says which Deployment to look at; each pass reads the Deployment and its Pods afresh from
// the API, so that a pass never acts on an old view. Simpler than Kubernetes: no ReplicaSets. A Pod carries the hash of
// the template it was made from; when the template changes, Pods of the new one come first and the old ones go as the
// new ones get ready.
// Thread-safety: start(), stop() from one thread.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kube/client.h"

namespace pilotlight::local {

/// Label of a Pod: the hash of the template that it was made from.
inline constexpr const char* kLabelTemplateHash = "pod-template-hash";

struct DeploymentControllerOptions {
  std::chrono::milliseconds syncTimeout{std::chrono::seconds(10)};
  /// A pass failed and will be repeated, with back-off. From the controller's thread; must not block.
  std::function<void(const kube::Key& deployment, const kube::Error& error)> onError{};
};

class DeploymentController {
 public:
  explicit DeploymentController(kube::Client& client, DeploymentControllerOptions options = {});
  ~DeploymentController();                   ///< stops
  std::expected<void, std::string> start();  ///< returns once the caches have synced
  void stop();                               ///< finishes the pass that is running; joins. Idempotent

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Sorted so that the ones to delete first come first: not ready, then the lowest
/// controller.kubernetes.io/pod-deletion-cost, then the youngest.
void sortForDeletion(std::vector<kube::Object>& pods);
bool podReady(const kube::Object& pod);

}  // namespace pilotlight::local
