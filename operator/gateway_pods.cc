#include "operator/gateway_pods.h"

#include "operator/gather.h"

namespace pilotlight::op {

namespace {

kube::InformerOptions informerOptions(const GatewayPodsOptions& options) {
  kube::InformerOptions informer;
  informer.namespace_ = options.namespace_;
  informer.labelSelector = options.selector;
  informer.keep = {"/status/phase", "/status/podIP", "/status/conditions"};
  return informer;
}

}  // namespace

GatewayPod gatewayPod(const kube::Object& pod) {
  const std::string& phase = pod.stringAt("/status/phase");
  return {.name = pod.name(),
          .uid = pod.uid(),
          .ip = pod.stringAt("/status/podIP"),
          .ready = podState(pod).ready,
          .gone = phase == "Succeeded" || phase == "Failed"};
}

GatewayPods::GatewayPods(kube::Client& client, GatewayPodsOptions options)
    : options_(std::move(options)), pods_(client, kube::resources::pods, informerOptions(options_)) {}

void GatewayPods::onPod(std::function<void(const GatewayPod&)> changed) {
  pods_.addHandler([changed = std::move(changed)](const kube::Object& before, const kube::Object& after) {
    if (before && (!after || before.uid() != after.uid())) {
      GatewayPod last = gatewayPod(before);
      last.gone = true;
      changed(last);
    }
    if (after) {
      changed(gatewayPod(after));
    }
  });
}

std::optional<std::set<std::string>> GatewayPods::names() const {
  if (!pods_.synced()) {
    return std::nullopt;
  }
  std::set<std::string> names;
  for (const auto& object : pods_.store().list()) {
    if (const GatewayPod pod = gatewayPod(object); !pod.gone) {
      names.insert(pod.name);
    }
  }
  return names;
}

}  // namespace pilotlight::op
