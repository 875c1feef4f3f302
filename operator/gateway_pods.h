// The gateways, as the API knows their pods.
// Thread-safety: onPod(), start(), stop() from one thread, onPod() before start(); names() from any.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kube/informer.h"

namespace pilotlight::op {

struct GatewayPodsOptions {
  std::string namespace_ = "pilotlight-system";
  std::string selector = "app.kubernetes.io/name=pilotlight,app.kubernetes.io/component=gateway";
};

struct GatewayPod {
  std::string name;  ///< which is the gateway's
  std::string uid;
  std::string ip;      ///< empty: none yet
  bool ready = false;  ///< may get requests
  bool gone = false;   ///< ended or deleted
};
/// A pure reading of a pod's status.
GatewayPod gatewayPod(const kube::Object& pod);

class GatewayPods {
 public:
  GatewayPods(kube::Client& client, GatewayPodsOptions options);

  /// `changed` is told of every pod at first, then when one is other than before. From the informer's thread.
  void onPod(std::function<void(const GatewayPod& pod)> changed);
  void start() { pods_.start(); }
  void stop() { pods_.stop(); }
  bool waitForSync(std::chrono::milliseconds timeout) { return pods_.waitForSync(timeout); }
  /// Of pods that have not ended. nullopt: not known yet.
  std::optional<std::set<std::string>> names() const;
  const std::string& namespace_() const { return options_.namespace_; }

 private:
  const GatewayPodsOptions options_;
  kube::Informer pods_;
};

}  // namespace pilotlight::op
