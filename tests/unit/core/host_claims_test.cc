#include "core/host_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pilotlight::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const FunctionId kOld{"shop", "old"};
const FunctionId kNew{"shop", "new"};

api::FunctionRouteSpec claim(const std::string& created, std::vector<std::string> hosts, std::vector<api::HttpRoute> routes = {}) {
  api::FunctionRouteSpec spec;
  spec.created = created;
  spec.hosts = std::move(hosts);
  spec.routes = std::move(routes);
  return spec;
}

TEST(NormalizePath, ForgetsTheNamesOfParameters) {
  EXPECT_EQ(normalizePath("/users/{id}/x"), "/users/{}/x");
  EXPECT_EQ(normalizePath("/{proxy+}"), "/{+}");
  EXPECT_EQ(normalizePath("/a"), "/a");
  EXPECT_EQ(normalizePath("/a{b"), "/a{b");
}

TEST(HostClaims, OlderKeepsTheSameHostAndPath) {
  const auto older = claim("2026-01-01T00:00:00Z", {"a.example"});
  const auto newer = claim("2026-01-02T00:00:00Z", {"a.example"});
  HostClaims claims;
  EXPECT_THAT(claims.put(kNew, newer), IsEmpty());
  EXPECT_THAT(claims.put(kOld, older), ElementsAre(kNew)) << "whose standing changed is named";
  EXPECT_FALSE(claims.conflictOf(kOld, older));
  const auto conflict = claims.conflictOf(kNew, newer);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->reason, "HostPathConflict");
  EXPECT_EQ(conflict->message, "host a.example path /{proxy+}: Function shop/old is older and keeps it");
}

TEST(HostClaims, SameAgeIsDecidedByName) {
  const auto same = claim("2026-01-01T00:00:00Z", {"a.example"});
  HostClaims claims;
  claims.put(kOld, same);
  claims.put(kNew, same);
  EXPECT_FALSE(claims.conflictOf(kNew, same)) << "new < old";
  EXPECT_TRUE(claims.conflictOf(kOld, same));
}

TEST(HostClaims, HealsWhenTheHolderGoes) {
  const auto newer = claim("2026-01-02T00:00:00Z", {"a.example"});
  HostClaims claims;
  claims.put(kOld, claim("2026-01-01T00:00:00Z", {"a.example"}));
  claims.put(kNew, newer);
  EXPECT_THAT(claims.erase(kOld), ElementsAre(kNew));
  EXPECT_FALSE(claims.conflictOf(kNew, newer));
}

TEST(HostClaims, HealsWhenTheHolderChangesItsRoutes) {
  const auto newer = claim("2026-01-02T00:00:00Z", {"a.example"}, {{"/a", {}}});
  HostClaims claims;
  claims.put(kOld, claim("2026-01-01T00:00:00Z", {"a.example"}, {{"/a", {}}}));
  claims.put(kNew, newer);
  EXPECT_THAT(claims.put(kOld, claim("2026-01-01T00:00:00Z", {"a.example"}, {{"/b", {}}})), ElementsAre(kNew));
  EXPECT_FALSE(claims.conflictOf(kNew, newer));
}

TEST(HostClaims, OnlyTheSameHostPathAndMethodCollide) {
  struct Case {
    const char* name;
    std::vector<std::string> hosts;
    api::HttpRoute route;
    bool collides;
  };
  const Case cases[]{
      {"same", {"a.example"}, {"/users/{id}", {"GET"}}, true},
      {"other parameter name", {"a.example"}, {"/users/{name}", {"GET"}}, true},
      {"one of several methods", {"a.example"}, {"/users/{id}", {"PUT", "GET"}}, true},
      {"other host", {"b.example"}, {"/users/{id}", {"GET"}}, false},
      {"other path", {"a.example"}, {"/users", {"GET"}}, false},
      {"other method", {"a.example"}, {"/users/{id}", {"POST"}}, false},
      {"all methods, less specific", {"a.example"}, {"/users/{id}", {}}, false},
  };
  for (const auto& each : cases) {
    HostClaims claims;
    claims.put(kOld, claim("2026-01-01T00:00:00Z", {"a.example"}, {{"/users/{id}", {"GET"}}}));
    const auto newer = claim("2026-01-02T00:00:00Z", each.hosts, {each.route});
    EXPECT_EQ(claims.conflictOf(kNew, newer).has_value(), each.collides) << each.name;
  }
}

TEST(HostClaims, AHostIsItsOldestClaimantsNamespaces) {
  const FunctionId kOther{"billing", "x"};
  const auto oldest = claim("2026-01-01T00:00:00Z", {"api.example"}, {{"/a", {}}});
  const auto other = claim("2026-01-02T00:00:00Z", {"api.example"}, {{"/b", {}}});
  const auto newest = claim("2026-01-03T00:00:00Z", {"api.example"}, {{"/b", {}}});
  HostClaims claims;
  claims.put(kOld, oldest);
  EXPECT_THAT(claims.put(kOther, other), IsEmpty());
  EXPECT_THAT(claims.put(kNew, newest), ElementsAre(kOther)) << "they share a path";
  const auto conflict = claims.conflictOf(kOther, other);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->reason, "HostTaken");
  EXPECT_EQ(conflict->message, "host api.example: namespace shop has it, by Function shop/old, which is older; name another host");
  EXPECT_FALSE(claims.conflictOf(kNew, newest)) << "who has not got the host keeps no path there";
  EXPECT_THAT(claims.erase(kOld), ElementsAre(kOther, kNew)) << "the host changes hands";
  EXPECT_FALSE(claims.conflictOf(kOther, other));
  EXPECT_EQ(claims.conflictOf(kNew, newest)->reason, "HostTaken");
}

TEST(HostClaims, WhoMayNotHaveAHostKeepsNobodyFromIt) {
  HostClaims claims(HostRules{.domain = "example.com", .clusterDomain = "cluster.local"});
  const FunctionId squatter{"evil", "x"};
  const auto squat = claim("2025-01-01T00:00:00Z", {"old.shop.svc", "old.shop.example.com"}, {{"/login", {}}});
  claims.put(squatter, squat);
  const auto mine = claim("2026-01-01T00:00:00Z", {"old.shop.example.com", "old.shop.svc"});
  EXPECT_THAT(claims.put(kOld, mine), IsEmpty());
  EXPECT_FALSE(claims.conflictOf(kOld, mine));
  const auto conflict = claims.conflictOf(squatter, squat);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->reason, "HostNotAllowed");
  EXPECT_EQ(conflict->message, "host old.shop.svc: it is the name of Function shop/old and of no other; name another host");
}

TEST(HostClaims, RepeatingAClaimConcernsNobody) {
  const auto mine = claim("2026-01-01T00:00:00Z", {"a.example"});
  HostClaims claims;
  claims.put(kOld, mine);
  claims.put(kNew, claim("2026-01-02T00:00:00Z", {"a.example"}));
  EXPECT_THAT(claims.put(kOld, mine), IsEmpty());
}

}  // namespace
}  // namespace pilotlight::core
