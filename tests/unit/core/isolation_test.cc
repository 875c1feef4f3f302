// Who may talk to replicas and whom these may reach, as rendered and judged by the semantics of NetworkPolicies; and what else keeps
// replicas apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/render.h"
#include "functions.h"
#include "tests/support/network_policies.h"

namespace pilotlight::core {
namespace {

using pilotlight::testing::Endpoint;
using pilotlight::testing::NetworkPolicies;
using testing::clusterOptions;
using testing::function;

const api::StringMap kGatewayLabels{{"app.kubernetes.io/name", "pilotlight"}, {"app.kubernetes.io/component", "gateway"}};

const Endpoint kReplica{.namespace_ = "shop", .labels = {{api::kLabelFunction, "orders"}, {api::kLabelVersion, "1"}}, .ip = "10.0.0.1"};
const Endpoint kOther{.namespace_ = "shop", .labels = {{api::kLabelFunction, "mail"}}, .ip = "10.0.0.2"};
const Endpoint kDatabase{.namespace_ = "shop", .labels = {{"app", "postgres"}}, .ip = "10.0.0.3"};
const Endpoint kElsewhere{.namespace_ = "data", .labels = {{"app", "postgres"}}, .ip = "10.0.1.1"};
const Endpoint kGateway{.namespace_ = "pilotlight-system", .labels = kGatewayLabels, .ip = "10.0.2.1"};
const Endpoint kImpostor{.namespace_ = "shop", .labels = kGatewayLabels, .ip = "10.0.0.4"};
const Endpoint kOperator{.namespace_ = "pilotlight-system",
                         .labels = {{"app.kubernetes.io/name", "pilotlight"}, {"app.kubernetes.io/component", "operator"}},
                         .ip = "10.0.2.2"};
const Endpoint kBeside{.namespace_ = "pilotlight-system", .labels = {{"app", "x"}}, .ip = "10.0.2.3"};
const Endpoint kPrometheus{.namespace_ = "monitoring", .labels = {{"app", "prometheus"}}, .ip = "10.0.3.1"};
const Endpoint kDns{.namespace_ = "kube-system", .labels = {{"k8s-app", "kube-dns"}}, .ip = "10.0.4.1"};
const Endpoint kInternet{.namespace_ = "", .labels = {}, .ip = "203.0.113.9"};
const Endpoint kNeighbour{.namespace_ = "", .labels = {}, .ip = "192.168.7.7"};

NetworkOptions network() {
  NetworkOptions options;
  options.gatewayNamespace = "pilotlight-system";
  options.gatewayLabels = kGatewayLabels;
  options.operatorLabels = kOperator.labels;
  options.monitoringNamespaces = R"({"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}})";
  return options;
}

struct Case {
  const char* name;
  pilotlight::testing::Flow flow;
  bool allowed;
};

void judge(const api::Function& f, const NetworkOptions& options, const std::vector<Case>& cases) {
  NetworkPolicies policies({{"shop", {}}, {"data", {}}, {"pilotlight-system", {}}, {"monitoring", {}}, {"kube-system", {}}});
  policies.add(renderNetworkPolicy(f, options));
  for (const Case& each : cases) {
    EXPECT_EQ(policies.allow(each.flow), each.allowed) << each.name;
  }
}

TEST(FunctionsNetworkPolicy, LetsGatewaysAndPrometheusInAndEverythingOut) {
  judge(function(), network(),
        {
            {"a gateway", {kGateway, kReplica, 8012}, true},
            {"at no other port", {kGateway, kReplica, 8080}, false},
            {"nor by UDP", {kGateway, kReplica, 8012, "UDP"}, false},
            {"a pod with a gateway's labels in a namespace of users", {kImpostor, kReplica, 8012}, false},
            {"the operator", {kOperator, kReplica, 8012}, true},
            {"what else runs beside them", {kBeside, kReplica, 8012}, false},
            {"another function", {kOther, kReplica, 8012}, false},
            {"a replica of the same", {kReplica, kReplica, 8012}, false},
            {"from outside", {kInternet, kReplica, 8012}, false},
            {"Prometheus", {kPrometheus, kReplica, 8012}, true},
            {"Prometheus elsewhere", {kPrometheus, kReplica, 9090}, false},
            {"out to the world", {kReplica, kInternet, 443}, true},
            {"out to a database", {kReplica, kDatabase, 5432}, true},
            {"what is no replica is left alone", {kInternet, kDatabase, 5432}, true},
        });
}

TEST(FunctionsNetworkPolicy, WithoutMonitoringNamespacesNobodyButGatewaysComesIn) {
  NetworkOptions options = network();
  options.monitoringNamespaces.clear();
  judge(function(), options, {{"a gateway", {kGateway, kReplica, 8012}, true}, {"Prometheus", {kPrometheus, kReplica, 8012}, false}});
}

TEST(FunctionsNetworkPolicy, AnEmptyListLeavesDnsAndTheGateways) {
  auto f = function();
  f.spec.network.egress.emplace();
  judge(f, network(),
        {
            {"DNS", {kReplica, kDns, 53, "UDP"}, true},
            {"DNS by TCP", {kReplica, kDns, 53}, true},
            {"what else is there", {kReplica, kDns, 9153}, false},
            {"DNS of others, which could carry anything", {kReplica, kInternet, 53, "UDP"}, false},
            {"call-home", {kReplica, kGateway, 8081}, true},
            {"the gateways' public port", {kReplica, kGateway, 8080}, false},
            {"the world", {kReplica, kInternet, 443}, false},
            {"its neighbours", {kReplica, kOther, 8012}, false},
            {"requests still come", {kGateway, kReplica, 8012}, true},
            {"others are not shut in", {kOther, kInternet, 443}, true},
        });
}

TEST(FunctionsNetworkPolicy, WhatIsNamedIsOpen) {
  auto f = function();
  f.spec.network.egress = std::vector<api::EgressRule>{
      {.cidr = "203.0.113.0/24", .namespaceLabels = {}, .podLabels = {}, .ports = {{443, api::PortProtocol::tcp}}},
      {.cidr = {}, .namespaceLabels = {}, .podLabels = {{"app", "postgres"}}, .ports = {{5432, api::PortProtocol::tcp}}},
      {.cidr = {}, .namespaceLabels = {{"kubernetes.io/metadata.name", "monitoring"}}, .podLabels = {}, .ports = {}},
      {.cidr = "192.168.7.7/32", .namespaceLabels = {}, .podLabels = {}, .ports = {{514, api::PortProtocol::udp}}},
  };
  judge(f, network(),
        {
            {"an address", {kReplica, kInternet, 443}, true},
            {"at another port", {kReplica, kInternet, 80}, false},
            {"pods of its namespace", {kReplica, kDatabase, 5432}, true},
            {"which are not those of another", {kReplica, kElsewhere, 5432}, false},
            {"a namespace, at every port", {kReplica, kPrometheus, 1}, true},
            {"by UDP", {kReplica, kNeighbour, 514, "UDP"}, true},
            {"which is not TCP", {kReplica, kNeighbour, 514}, false},
            {"DNS", {kReplica, kDns, 53, "UDP"}, true},
            {"call-home", {kReplica, kGateway, 8081}, true},
        });
}

TEST(FunctionsNetworkPolicy, IsTheFunctionsAndGoesWithIt) {
  const Json policy = renderNetworkPolicy(function(), network());
  EXPECT_EQ(policy["metadata"]["name"], "pilotlight-orders");
  EXPECT_EQ(policy["metadata"]["namespace"], "shop");
  EXPECT_EQ(policy["metadata"]["ownerReferences"][0]["uid"], "uid-orders");
}

TEST(DisruptionBudget, IsForFunctionsThatKeepTwoReplicasOrMore) {
  struct {
    int min;
    std::optional<int> pinned;
    bool needed;
  } const cases[]{{0, {}, false}, {1, {}, false}, {2, {}, true}, {9, {}, true}, {2, 1, false}, {2, 0, false}, {0, 2, true}};
  for (const auto& each : cases) {
    auto f = function();
    f.spec.scale.min = each.min;
    f.spec.replicas = each.pinned;
    EXPECT_EQ(needsDisruptionBudget(f), each.needed) << each.min << " " << each.pinned.value_or(-1);
  }
}

TEST(DisruptionBudget, LetsOneReplicaGoAtATimeOfAllVersions) {
  const Json budget = renderDisruptionBudget(function());
  EXPECT_EQ(budget["spec"]["maxUnavailable"], 1);
  EXPECT_EQ(budget["spec"]["selector"]["matchLabels"], Json({{api::kLabelFunction, "orders"}}));
  EXPECT_EQ(budget["metadata"]["ownerReferences"][0]["uid"], "uid-orders");
}

Json podOf(const api::Function& f) {
  return renderPodSpec(f, renderVersion(f, 1), clusterOptions());
}

TEST(PodIsolation, ReplicasAreSpreadOverNodesAndZonesWhereThatIsPossible) {
  const Json pod = podOf(function());
  const Json replicas{{"matchLabels", {{api::kLabelFunction, "orders"}}}};
  const Json& spread = pod["topologySpreadConstraints"];
  ASSERT_EQ(spread.size(), 1U) << "nodes that lack the label of any are left out of the scoring of all";
  EXPECT_EQ(spread[0]["topologyKey"], "kubernetes.io/hostname");
  EXPECT_EQ(spread[0]["whenUnsatisfiable"], "ScheduleAnyway");
  EXPECT_EQ(spread[0]["labelSelector"], replicas);
  const Json& zones = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
  ASSERT_EQ(zones.size(), 1U);
  EXPECT_EQ(zones[0]["podAffinityTerm"]["topologyKey"], "topology.kubernetes.io/zone");
  EXPECT_EQ(zones[0]["podAffinityTerm"]["labelSelector"], replicas);
}

TEST(PodIsolation, AChangeOfScaleIsNoReasonToReplaceReplicas) {
  auto f = function();
  const Json before = podOf(f);
  f.spec.scale.min = 3;
  f.spec.replicas = 4;
  f.spec.network.egress.emplace();
  EXPECT_EQ(podOf(f), before);
}

TEST(PodIsolation, ATokenIsMountedOnlyOfAnOwnAccountAndWhenAskedFor) {
  auto f = function();
  EXPECT_EQ(podOf(f)["serviceAccountName"], "pilotlight-orders");
  EXPECT_EQ(podOf(f)["automountServiceAccountToken"], false);
  f.spec.pod.serviceAccountName = "reader";
  EXPECT_EQ(podOf(f)["serviceAccountName"], "reader");
  EXPECT_EQ(podOf(f)["automountServiceAccountToken"], false);
  f.spec.pod.serviceAccountToken = true;
  EXPECT_EQ(podOf(f)["automountServiceAccountToken"], true);
}

TEST(PodIsolation, FitsTheRestrictedPodSecurityLevelAndMore) {
  const Json pod = podOf(function());
  EXPECT_EQ(pod["securityContext"], Json({{"runAsNonRoot", true}, {"runAsUser", 65532}, {"seccompProfile", {{"type", "RuntimeDefault"}}}}));
  for (const char* list : {"containers", "initContainers"}) {
    for (const auto& container : pod[list]) {
      const Json& security = container["securityContext"];
      EXPECT_EQ(security["readOnlyRootFilesystem"], true) << list;
      EXPECT_EQ(security["allowPrivilegeEscalation"], false) << list;
      EXPECT_EQ(security["capabilities"]["drop"], Json::array({"ALL"})) << list;
    }
  }
}

}  // namespace
}  // namespace pilotlight::core
