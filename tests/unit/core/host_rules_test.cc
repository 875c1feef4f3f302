#include "core/host_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pilotlight::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const FunctionId kOrders{"shop", "orders"};

HostRules inCluster(std::initializer_list<const char*> allowed = {}) {
  HostRules rules{.domain = "fn.example.com", .clusterDomain = "cluster.local"};
  for (const char* each : allowed) EXPECT_TRUE(allowHosts(rules, each)) << each;
  return rules;
}

TEST(HostRules, NamesOfAFunctionAreItsOwnAlone) {
  const HostRules rules = inCluster();
  auto names = serviceHosts(kOrders, rules);
  names.push_back(defaultHost(kOrders, rules));
  EXPECT_THAT(names, ElementsAre("orders.shop", "orders.shop.svc", "orders.shop.svc.cluster.local", "orders.shop.fn.example.com"));
  for (const auto& name : names) {
    EXPECT_FALSE(hostRefusal(kOrders, name, rules)) << name;
    for (const FunctionId& other : {FunctionId{"evil", "orders"}, FunctionId{"shop", "other"}}) {
      const auto refusal = hostRefusal(other, name, rules);
      ASSERT_TRUE(refusal) << name;
      EXPECT_THAT(*refusal, HasSubstr("shop/orders")) << name;
      EXPECT_THAT(*refusal, HasSubstr(name));
    }
  }
}

TEST(HostRules, WithoutAClusterOnlyTheDefaultHostIsAName) {
  const HostRules local{};
  EXPECT_THAT(serviceHosts(kOrders, local), IsEmpty());
  EXPECT_TRUE(hostRefusal({"evil", "x"}, "orders.shop.localhost", local));
  for (const char* host : {"orders", "orders.shop", "orders.shop.svc"}) EXPECT_FALSE(hostRefusal({"evil", "x"}, host, local)) << host;
}

TEST(HostRules, SaysWhoMayHaveAHost) {
  struct Case {
    const char* name;
    HostRules rules;
    const char* host;
    bool allowed;  // to shop/orders
  };
  const Case cases[]{
      {"nothing is said", inCluster(), "api.example.org", true},
      {"a label more than a name", inCluster(), "a.other.evil.svc", true},
      {"under the domain, but no name", inCluster(), "shop.fn.example.com", true},
      {"not the domain, but its end", inCluster(), "other.evil.xfn.example.com", true},
      {"one label", inCluster(), "other", false},
      {"another's short name", inCluster(), "example.org", false},
      {"another's short name, but allowed", inCluster({"example.org=shop"}), "example.org", true},
      {"another's short name is none of the others", inCluster({"*=*"}), "other.evil", false},
      {"another's name can't be allowed", inCluster({"svc=shop", "fn.example.com=shop"}), "other.evil.svc", false},
      {"its own name need not be allowed", inCluster({"example.org=billing"}), "orders.shop.svc", true},
      {"its own short name neither", inCluster({"example.org=billing"}), "orders.shop", true},
      {"its namespace is listed", inCluster({"example.org=billing,shop"}), "api.example.org", true},
      {"it is not", inCluster({"example.org=billing"}), "api.example.org", false},
      {"no suffix is for it", inCluster({"example.org=shop"}), "api.example.net", false},
      {"a suffix is of whole labels", inCluster({"example.org=shop"}), "api.myexample.org", false},
      {"all namespaces", inCluster({"example.org=*"}), "api.example.org", true},
      {"all others", inCluster({"example.org=billing", "*=shop"}), "api.example.net", true},
      {"all others are not those listed", inCluster({"example.org=billing", "*=shop"}), "api.example.org", false},
      {"the longest suffix decides", inCluster({"example.org=shop", "admin.example.org=billing"}), "a.admin.example.org", false},
      {"also the other way", inCluster({"example.org=billing", "admin.example.org=shop"}), "admin.example.org", true},
      {"said twice", inCluster({"example.org=billing", "example.org=shop"}), "api.example.org", true},
  };
  for (const Case& each : cases) {
    const auto refusal = hostRefusal(kOrders, each.host, each.rules);
    EXPECT_EQ(!refusal, each.allowed) << each.name;
    if (refusal) EXPECT_THAT(*refusal, HasSubstr(each.host)) << each.name;
  }
}

TEST(HostRules, SaysWhatToDo) {
  const auto refusal = hostRefusal(kOrders, "api.example.org", inCluster({"example.org=billing"}));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(*refusal,
            "host api.example.org: namespace shop may not have it; name another host, or have namespace shop allowed for this one "
            "(--allow-host, in the chart `hosts`)");
}

TEST(HostRules, RefusesWhatSaysNothing) {
  for (const char* text : {"", "=shop", "example.org", "example.org=", "example.org=shop,", "example.org=,shop"}) {
    HostRules rules;
    EXPECT_FALSE(allowHosts(rules, text)) << text;
  }
}

}  // namespace
}  // namespace pilotlight::core
