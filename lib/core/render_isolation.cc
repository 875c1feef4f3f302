// What keeps the replicas of a Function apart from others, and from all going at once.
#include <nlohmann/json.hpp>

#include "core/render.h"

namespace pilotlight::core {

namespace {

Json selector(const api::StringMap& labels) {
  return labels.empty() ? Json::object() : Json{{"matchLabels", labels}};
}

Json gatewayPeers(const NetworkOptions& options) {
  return Json::array({{{"namespaceSelector", selector({{"kubernetes.io/metadata.name", options.gatewayNamespace}})},
                       {"podSelector", selector(options.gatewayLabels)}}});
}

const char* protocolName(api::PortProtocol protocol) {
  switch (protocol) {
    case api::PortProtocol::tcp:
      return "TCP";
    case api::PortProtocol::udp:
      return "UDP";
    case api::PortProtocol::sctp:
      return "SCTP";
  }
  return "";
}

Json portsOf(const std::vector<api::EgressPort>& ports) {
  Json list = Json::array();
  for (const auto& port : ports) {
    list.push_back({{"port", port.port}, {"protocol", protocolName(port.protocol)}});
  }
  return list;
}

Json tcp(int port) {
  return portsOf({{.port = port}});
}

// The kubelet's probes come from the node, which no policy shuts out.
Json renderIngress(const NetworkOptions& options) {
  Json from = gatewayPeers(options);
  if (!options.operatorLabels.empty()) {
    from.push_back({{"namespaceSelector", selector({{"kubernetes.io/metadata.name", options.gatewayNamespace}})},
                    {"podSelector", selector(options.operatorLabels)}});
  }
  if (!options.monitoringNamespaces.empty()) {
    from.push_back({{"namespaceSelector", Json::parse(options.monitoringNamespaces)}});
  }
  return Json::array({{{"from", std::move(from)}, {"ports", tcp(api::kShimPort)}}});
}

Json peerOf(const api::EgressRule& rule) {
  if (!rule.cidr.empty()) {
    return {{"ipBlock", {{"cidr", rule.cidr}}}};
  }
  Json peer = Json::object();
  if (!rule.namespaceLabels.empty()) {
    peer["namespaceSelector"] = selector(rule.namespaceLabels);
  }
  if (!rule.podLabels.empty()) {
    peer["podSelector"] = selector(rule.podLabels);
  }
  return peer;
}

Json renderEgress(const std::vector<api::EgressRule>& rules, const NetworkOptions& options) {
  Json egress = Json::array({Json::parse(options.dns), {{"to", gatewayPeers(options)}, {"ports", tcp(options.gatewayPort)}}});
  for (const auto& rule : rules) {
    Json entry{{"to", Json::array({peerOf(rule)})}};
    if (!rule.ports.empty()) {
      entry["ports"] = portsOf(rule.ports);
    }
    egress.push_back(std::move(entry));
  }
  return egress;
}

}  // namespace

Json renderNetworkPolicy(const api::Function& function, const NetworkOptions& options) {
  Json policy = renderHead(function, "networking.k8s.io/v1", "NetworkPolicy", ownedName(function));
  policy["spec"] = {{"podSelector", selector({{api::kLabelFunction, function.metadata.name}})},
                    {"policyTypes", Json::array({"Ingress"})},
                    {"ingress", renderIngress(options)}};
  if (const auto& egress = function.spec.network.egress) {
    policy["spec"]["policyTypes"].push_back("Egress");
    policy["spec"]["egress"] = renderEgress(*egress, options);
  }
  return policy;
}

bool needsDisruptionBudget(const api::Function& function) {
  return function.spec.replicas.value_or(function.spec.scale.min) >= 2;
}

// One at a time, whatever the number, and one that is not healthy any time: a drain never hangs.
Json renderDisruptionBudget(const api::Function& function) {
  Json budget = renderHead(function, "policy/v1", "PodDisruptionBudget", ownedName(function));
  budget["spec"] = {{"maxUnavailable", 1},
                    {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
                    {"selector", selector({{api::kLabelFunction, function.metadata.name}})}};
  return budget;
}

}  // namespace pilotlight::core
