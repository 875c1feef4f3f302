// What Kubernetes' NetworkPolicies let through, by their documented semantics: a connection passes when the policies that select
// its source for egress, and those that select its target for ingress, allow it. None selects: it passes. Several: it is enough that
// one allows it. For clusters that enforce none, and for tests without one.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pilotlight::testing {

using Labels = std::map<std::string, std::string>;

/// A pod, or with an empty namespace an address outside of the cluster (or a node's).
struct Endpoint {
  std::string namespace_;
  Labels labels;
  std::string ip;
  std::map<std::string, int> ports{};  ///< by name
};

struct Flow {
  const Endpoint& from;
  const Endpoint& to;
  int port = 0;
  std::string protocol = "TCP";
};

class NetworkPolicies {
 public:
  /// Labels of each namespace; kubernetes.io/metadata.name is added, as the API server does.
  explicit NetworkPolicies(std::map<std::string, Labels> namespaces);
  void add(nlohmann::json policy) { policies_.push_back(std::move(policy)); }
  bool allow(const Flow& flow) const;

 private:
  enum class Direction { ingress, egress };
  bool allow(Direction direction, const Flow& flow) const;
  bool selects(const nlohmann::json& policy, Direction direction, const Endpoint& pod) const;
  bool peerMatches(const nlohmann::json& peer, const std::string& policyNamespace, const Endpoint& other) const;

  std::map<std::string, Labels> namespaces_;
  std::vector<nlohmann::json> policies_;
};

/// Of matchLabels and matchExpressions; an empty selector selects everything. An unknown operator throws.
bool labelsMatch(const nlohmann::json& selector, const Labels& labels);
/// False as well for an address of the other family.
bool inRange(const std::string& cidr, const std::string& ip);

}  // namespace pilotlight::testing
