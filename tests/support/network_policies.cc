#include "tests/support/network_policies.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

namespace pilotlight::testing {

using nlohmann::json;

namespace {

const json& field(const json& object, const char* name) {
  static const json kNothing;
  const auto found = object.find(name);
  return found == object.end() ? kNothing : *found;
}

bool expressionMatches(const json& expression, const Labels& labels) {
  const auto found = labels.find(expression.at("key").get<std::string>());
  const std::string op = expression.at("operator");
  const bool there = found != labels.end();
  if (op == "Exists") return there;
  if (op == "DoesNotExist") return !there;
  const json& values = expression.at("values");
  const bool in = there && std::ranges::find(values, json(found->second)) != values.end();
  if (op == "In") return in;
  if (op == "NotIn") return !in;
  throw std::invalid_argument("unknown operator " + op);
}

using Bytes = std::vector<unsigned char>;

std::optional<Bytes> bytesOf(const std::string& ip) {
  std::array<unsigned char, 16> raw{};
  if (inet_pton(AF_INET, ip.c_str(), raw.data()) == 1) return Bytes(raw.begin(), raw.begin() + 4);
  if (inet_pton(AF_INET6, ip.c_str(), raw.data()) == 1) return Bytes(raw.begin(), raw.end());
  return std::nullopt;
}

bool blockMatches(const json& block, const std::string& ip) {
  const json& except = field(block, "except");
  return inRange(block.at("cidr"), ip) && std::ranges::none_of(except, [&](const json& hole) { return inRange(hole, ip); });
}

bool portMatches(const json& port, const Flow& flow) {
  if (port.value("protocol", "TCP") != flow.protocol) return false;
  const json& number = field(port, "port");
  if (number.is_null()) return true;
  if (number.is_string()) {
    const auto named = flow.to.ports.find(number.get<std::string>());
    return named != flow.to.ports.end() && named->second == flow.port;
  }
  return flow.port >= number.get<int>() && flow.port <= port.value("endPort", number.get<int>());
}

}  // namespace

bool labelsMatch(const json& selector, const Labels& labels) {
  const auto has = [&labels](const auto& item) {
    const auto found = labels.find(item.key());
    return found != labels.end() && json(found->second) == item.value();
  };
  const json& wanted = field(selector, "matchLabels");
  const json& expressions = field(selector, "matchExpressions");
  return (wanted.is_null() || std::ranges::all_of(wanted.items(), has)) &&
         std::ranges::all_of(expressions, [&](const json& each) { return expressionMatches(each, labels); });
}

bool inRange(const std::string& cidr, const std::string& ip) {
  const std::size_t slash = cidr.find('/');
  const auto network = bytesOf(cidr.substr(0, slash)), address = bytesOf(ip);
  if (slash == std::string::npos || !network) throw std::invalid_argument("no address range: " + cidr);
  if (!address || address->size() != network->size()) return false;
  const int length = std::stoi(cidr.substr(slash + 1));
  for (int bit = 0; bit < length; ++bit) {
    const auto at = static_cast<std::size_t>(bit / 8);
    if ((((*network)[at] ^ (*address)[at]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

NetworkPolicies::NetworkPolicies(std::map<std::string, Labels> namespaces) : namespaces_(std::move(namespaces)) {
  for (auto& [name, labels] : namespaces_) labels["kubernetes.io/metadata.name"] = name;
}

bool NetworkPolicies::allow(const Flow& flow) const {
  return allow(Direction::egress, flow) && allow(Direction::ingress, flow);
}

bool NetworkPolicies::selects(const json& policy, Direction direction, const Endpoint& pod) const {
  const json& spec = policy.at("spec");
  if (pod.namespace_.empty() || policy.at("metadata").at("namespace") != pod.namespace_ || !labelsMatch(spec.at("podSelector"), pod.labels))
    return false;
  const json& types = field(spec, "policyTypes");
  if (types.is_null()) return direction == Direction::ingress || !field(spec, "egress").empty();
  return std::ranges::find(types, json(direction == Direction::ingress ? "Ingress" : "Egress")) != types.end();
}

bool NetworkPolicies::peerMatches(const json& peer, const std::string& policyNamespace, const Endpoint& other) const {
  if (const json& block = field(peer, "ipBlock"); !block.is_null()) return blockMatches(block, other.ip);
  if (other.namespace_.empty()) return false;
  const json& namespaces = field(peer, "namespaceSelector");
  const json& pods = field(peer, "podSelector");
  const bool placed =
      namespaces.is_null() ? other.namespace_ == policyNamespace : labelsMatch(namespaces, namespaces_.at(other.namespace_));
  return placed && (pods.is_null() || labelsMatch(pods, other.labels));
}

bool NetworkPolicies::allow(Direction direction, const Flow& flow) const {
  const bool in = direction == Direction::ingress;
  const Endpoint& pod = in ? flow.to : flow.from;
  const Endpoint& other = in ? flow.from : flow.to;
  bool selected = false;
  for (const json& policy : policies_) {
    if (!selects(policy, direction, pod)) continue;
    selected = true;
    const std::string home = policy.at("metadata").at("namespace");
    for (const json& rule : field(policy.at("spec"), in ? "ingress" : "egress")) {
      const json& peers = field(rule, in ? "from" : "to");
      const json& ports = field(rule, "ports");
      const bool peer = peers.empty() || std::ranges::any_of(peers, [&](const json& each) { return peerMatches(each, home, other); });
      const bool port = ports.empty() || std::ranges::any_of(ports, [&](const json& each) { return portMatches(each, flow); });
      if (peer && port) return true;
    }
  }
  return !selected;
}

}  // namespace pilotlight::testing
