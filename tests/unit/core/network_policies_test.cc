// The evaluator that other tests judge NetworkPolicies by, against what Kubernetes documents.
#include "tests/support/network_policies.h"

#include <gtest/gtest.h>

namespace pilotlight::testing {
namespace {

using nlohmann::json;

const Endpoint kWeb{.namespace_ = "shop", .labels = {{"app", "web"}}, .ip = "10.0.0.1"};
const Endpoint kDb{.namespace_ = "shop", .labels = {{"app", "db"}}, .ip = "10.0.0.2", .ports = {{"sql", 5432}}};
const Endpoint kProbe{.namespace_ = "monitoring", .labels = {{"app", "web"}}, .ip = "10.0.1.1"};
const Endpoint kOutside{.namespace_ = "", .labels = {}, .ip = "192.0.2.7"};

NetworkPolicies policies(std::initializer_list<const char*> specs) {
  NetworkPolicies all({{"shop", {}}, {"monitoring", {{"team", "sre"}}}});
  for (const char* spec : specs) {
    all.add({{"metadata", {{"namespace", "shop"}, {"name", "p"}}}, {"spec", json::parse(spec)}});
  }
  return all;
}

struct Case {
  const char* name;
  std::initializer_list<const char*> specs;
  Flow flow;
  bool allowed;
};

const Flow kWebToDb{kWeb, kDb, 5432};

TEST(NetworkPolicySemantics, AreAsDocumented) {
  const char* denyIn = R"({"podSelector":{},"policyTypes":["Ingress"]})";
  const char* fromWeb =
      R"({"podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":5432}]}]})";
  const Case cases[]{
      {"no policy", {}, kWebToDb, true},
      {"an empty list denies", {denyIn}, kWebToDb, false},
      {"policies of another namespace select nothing", {denyIn}, {kWeb, kProbe, 80}, true},
      {"the union allows", {denyIn, fromWeb}, kWebToDb, true},
      {"another port", {fromWeb}, {kWeb, kDb, 22}, false},
      {"another protocol", {fromWeb}, {kWeb, kDb, 5432, "UDP"}, false},
      {"a podSelector alone means the policy's namespace", {fromWeb}, {kProbe, kDb, 5432}, false},
      {"pods that no policy selects", {fromWeb}, {kProbe, kWeb, 80}, true},
      {"a namespace by label",
       {R"({"podSelector":{},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"sre"}}}]}]})"},
       {kProbe, kDb, 80},
       true},
      {"namespace and pod in one peer: both",
       {R"({"podSelector":{},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"sre"}},"podSelector":{"matchLabels":{"app":"x"}}}]}]})"},
       {kProbe, kDb, 80},
       false},
      {"every namespace", {R"({"podSelector":{},"ingress":[{"from":[{"namespaceSelector":{}}]}]})"}, {kProbe, kDb, 80}, true},
      {"which is not outside", {R"({"podSelector":{},"ingress":[{"from":[{"namespaceSelector":{}}]}]})"}, {kOutside, kDb, 80}, false},
      {"a rule without peers is for all", {R"({"podSelector":{},"ingress":[{"ports":[{"port":80}]}]})"}, {kOutside, kDb, 80}, true},
      {"an ipBlock", {R"({"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"192.0.2.0/24"}}]}]})"}, {kOutside, kDb, 80}, true},
      {"but its exception",
       {R"({"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"192.0.2.0/24","except":["192.0.2.4/30"]}}]}]})"},
       {kOutside, kDb, 80},
       false},
      {"a named port", {R"({"podSelector":{},"ingress":[{"ports":[{"port":"sql"}]}]})"}, kWebToDb, true},
      {"a range of ports", {R"({"podSelector":{},"ingress":[{"ports":[{"port":5000,"endPort":6000}]}]})"}, kWebToDb, true},
      {"egress is apart", {R"({"podSelector":{},"policyTypes":["Egress"]})"}, {kProbe, kDb, 80}, true},
      {"and denies too", {R"({"podSelector":{},"policyTypes":["Egress"]})"}, {kWeb, kOutside, 443}, false},
      {"egress without types", {R"({"podSelector":{},"egress":[{"ports":[{"port":443}]}]})"}, {kWeb, kOutside, 443}, true},
      {"both ends have a say",
       {R"({"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Egress"],"egress":[{}]})", denyIn},
       kWebToDb,
       false},
      {"expressions", {R"({"podSelector":{"matchExpressions":[{"key":"app","operator":"NotIn","values":["web"]}]}})"}, kWebToDb, false},
      {"that do not hold", {R"({"podSelector":{"matchExpressions":[{"key":"tier","operator":"Exists"}]}})"}, kWebToDb, true},
  };
  for (const Case& each : cases) EXPECT_EQ(policies(each.specs).allow(each.flow), each.allowed) << each.name;
}

TEST(NetworkPolicySemantics, RangesAreOfOneFamily) {
  EXPECT_TRUE(inRange("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(inRange("10.0.0.0/8", "11.0.0.1"));
  EXPECT_FALSE(inRange("10.1.2.128/25", "10.1.2.127"));
  EXPECT_TRUE(inRange("0.0.0.0/0", "8.8.8.8"));
  EXPECT_FALSE(inRange("0.0.0.0/0", "::1"));
  EXPECT_TRUE(inRange("fd00::/8", "fd12::1"));
}

}  // namespace
}  // namespace pilotlight::testing
