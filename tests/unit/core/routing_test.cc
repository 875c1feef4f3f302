#include "core/routing.h"

#include <gtest/gtest.h>

namespace pilotlight::core {
namespace {

struct RouteSpec {
  std::string name;
  std::vector<std::string> hosts;
  std::vector<api::HttpRoute> routes;
  std::string created = "2026-01-01T00:00:00Z";
  std::string localPath = "";
};

struct Routes {
  std::vector<api::FunctionRoute> routes;
  std::vector<RouteConflict> conflicts;
  RouteTable table;

  explicit Routes(const std::vector<RouteSpec>& specs) {
    for (const RouteSpec& spec : specs) {
      api::FunctionRoute route;
      route.metadata.name = spec.name;
      route.metadata.namespace_ = "default";
      route.spec.hosts = spec.hosts;
      route.spec.routes = spec.routes;
      route.spec.created = spec.created;
      route.spec.localPath = spec.localPath;
      routes.push_back(std::move(route));
    }
    std::vector<const api::FunctionRoute*> plain;
    for (const auto& route : routes) plain.push_back(&route);
    table = RouteTable::build(plain, {}, &conflicts);
  }

  /// "name path param=value…", or the outcome.
  std::string find(std::string_view host, std::string_view path, std::string_view method = "GET") const {
    const RouteMatch match = table.match(host, path, method);
    switch (match.outcome) {
      case RouteMatch::Outcome::noHost:
        return "no host";
      case RouteMatch::Outcome::noPath:
        return "no path";
      case RouteMatch::Outcome::noMethod:
        return "no method";
      case RouteMatch::Outcome::badPath:
        return "bad path";
      case RouteMatch::Outcome::found:
        break;
    }
    std::string out = routes[match.route].metadata.name + " " + std::string(match.path);
    for (std::size_t i = 0; i < match.parameterCount; ++i)
      out += " " + std::string(match.parameters[i].name) + "=" + std::string(match.parameters[i].value);
    return out;
  }
};

TEST(Routing, FindsTheHostWhateverItsCaseAndPort) {
  const Routes routes({{"a", {"api.example.com"}, {}}, {"b", {"[::1]"}, {}}});
  EXPECT_EQ(routes.find("API.Example.com:8080", "/x"), "a /x");
  EXPECT_EQ(routes.find("api.example.com.", "/"), "a /");
  EXPECT_EQ(routes.find("[::1]:80", "/x"), "b /x");
  EXPECT_EQ(routes.find("example.com", "/x"), "no host");
  EXPECT_EQ(routes.find("", "/x"), "no host");
  EXPECT_EQ(routes.find(std::string(300, 'a'), "/x"), "no host");
}

TEST(Routing, PrefersLiteralThenParameterThenProxy) {
  const Routes routes(
      {{"one",
        {"h"},
        {{"/users/{id}", {}}, {"/users/me", {}}, {"/{proxy+}", {}}, {"/users/{id}/orders/{order}", {}}, {"/files/{path+}", {}}}}});
  EXPECT_EQ(routes.find("h", "/users/me"), "one /users/me");
  EXPECT_EQ(routes.find("h", "/users/7"), "one /users/7 id=7");
  EXPECT_EQ(routes.find("h", "/users/7/orders/9"), "one /users/7/orders/9 id=7 order=9");
  EXPECT_EQ(routes.find("h", "/users/7/other"), "one /users/7/other proxy=users/7/other");
  EXPECT_EQ(routes.find("h", "/users/"), "one /users/ proxy=users/");
  EXPECT_EQ(routes.find("h", "/files/a/b"), "one /files/a/b path=a/b");
  EXPECT_EQ(routes.find("h", "/files/"), "one /files/ path=");
  EXPECT_EQ(routes.find("h", "/files"), "one /files proxy=files");
}

TEST(Routing, GoesBackWhenALiteralLeadsNowhere) {
  const Routes routes({{"x", {"h"}, {{"/a/b/c", {}}}}, {"y", {"h"}, {{"/{p}/b/d", {}}}}});
  EXPECT_EQ(routes.find("h", "/a/b/d"), "y /a/b/d p=a");
  EXPECT_EQ(routes.find("h", "/a/b"), "no path");
}

TEST(Routing, SplitsAPathByMethod) {
  const Routes routes({{"reader", {"h"}, {{"/x", {"GET", "HEAD"}}}}, {"writer", {"h"}, {{"/x", {"POST"}}}}});
  EXPECT_EQ(routes.find("h", "/x", "GET"), "reader /x");
  EXPECT_EQ(routes.find("h", "/x", "POST"), "writer /x");
  EXPECT_EQ(routes.find("h", "/x", "DELETE"), "no method");
  EXPECT_TRUE(routes.conflicts.empty());
}

TEST(Routing, OneThatNamesItsMethodsGoesBeforeOneForAll) {
  const Routes routes({{"all", {"h"}, {{"/x", {}}}}, {"posts", {"h"}, {{"/x", {"POST"}}}, "2026-01-02T00:00:00Z"}});
  EXPECT_EQ(routes.find("h", "/x", "POST"), "posts /x");
  EXPECT_EQ(routes.find("h", "/x", "GET"), "all /x");
}

TEST(Routing, TheOlderKeepsAContestedPath) {
  const Routes routes({{"newer", {"h"}, {{"/a/{x}", {}}, {"/own", {}}}, "2026-01-02T00:00:00Z"},
                       {"older", {"h"}, {{"/a/{y}", {}}}, "2026-01-01T00:00:00Z"}});
  EXPECT_EQ(routes.find("h", "/a/1"), "older /a/1 y=1");
  EXPECT_EQ(routes.find("h", "/own"), "newer /own");
  ASSERT_EQ(routes.conflicts.size(), 1u);
  EXPECT_EQ(routes.routes[routes.conflicts[0].loser].metadata.name, "newer");
  EXPECT_EQ(routes.routes[routes.conflicts[0].winner].metadata.name, "older");
  EXPECT_EQ(routes.conflicts[0].path, "/a/{x}");
}

TEST(Routing, NobodyTakesThePathsOfAnothersName) {
  api::FunctionRoute squatter, victim;
  squatter.metadata.namespace_ = "evil";
  squatter.metadata.name = "x";
  squatter.spec.created = "2025-01-01T00:00:00Z";
  squatter.spec.hosts = {"orders.shop.svc.cluster.local", "orders.shop", "orders.shop.fn.example.com", "x.evil"};
  squatter.spec.routes = {{"/login", {}}};
  victim.metadata.namespace_ = "shop";
  victim.metadata.name = "orders";
  victim.spec.created = "2026-01-01T00:00:00Z";
  victim.spec.hosts = {"orders.shop.fn.example.com", "orders.shop", "orders.shop.svc.cluster.local"};
  const std::vector<const api::FunctionRoute*> routes{&squatter, &victim};
  const auto table = RouteTable::build(routes, {.domain = "fn.example.com", .clusterDomain = "cluster.local"});
  for (const auto& host : victim.spec.hosts) EXPECT_EQ(table.match(host, "/login", "GET").route, 1u) << host;
  EXPECT_EQ(table.match("x.evil", "/login", "GET").route, 0u) << "its own name stays";
}

TEST(Routing, AHostIsItsOldestClaimantsNamespaces) {
  api::FunctionRoute older, newer;
  older.metadata.namespace_ = "shop";
  newer.metadata.namespace_ = "evil";
  older.spec.created = "2026-01-01T00:00:00Z";
  newer.spec.created = "2026-01-02T00:00:00Z";
  older.spec.hosts = newer.spec.hosts = {"api.example.com"};
  newer.spec.routes = {{"/login", {}}};
  const std::vector<const api::FunctionRoute*> routes{&newer, &older};
  std::vector<RouteConflict> conflicts;
  const auto table = RouteTable::build(routes, {}, &conflicts);
  EXPECT_EQ(table.match("api.example.com", "/login", "GET").route, 1u);
  ASSERT_EQ(conflicts.size(), 1u);
  EXPECT_EQ(conflicts[0].loser, 0u);
  EXPECT_EQ(conflicts[0].winner, 1u);
  EXPECT_EQ(conflicts[0].path, "");
}

TEST(Routing, LosesOnlyTheMethodsThatAnOlderOneHas) {
  const Routes routes({{"older", {"h"}, {{"/x", {"GET"}}}}, {"newer", {"h"}, {{"/x", {"GET", "PUT"}}}, "2026-01-02T00:00:00Z"}});
  EXPECT_EQ(routes.find("h", "/x", "GET"), "older /x");
  EXPECT_EQ(routes.find("h", "/x", "PUT"), "newer /x");
  EXPECT_EQ(routes.conflicts.size(), 1u);
}

TEST(Routing, LocalPathsAreStrippedAndTheLongestWins) {
  const Routes routes(
      {{"hello", {}, {}, "1", "/hello"}, {"orders", {}, {{"/x/{id}", {}}}, "1", "/shop/orders"}, {"shop", {}, {}, "1", "/shop"}});
  EXPECT_EQ(routes.find("localhost:8080", "/hello"), "hello /");
  EXPECT_EQ(routes.find("127.0.0.1", "/hello/a/b"), "hello /a/b");
  EXPECT_EQ(routes.find("h", "/shop/orders/x/7"), "orders /x/7 id=7");
  EXPECT_EQ(routes.find("h", "/shop/other"), "shop /other");
  EXPECT_EQ(routes.find("h", "/hellox"), "no host");
  EXPECT_EQ(routes.find("h", "/"), "no host");
  EXPECT_EQ(routes.table.match("h", "/hello/a", "GET").prefix, "/hello");
}

TEST(Routing, AHostThatHasThePathWinsOverALocalPath) {
  const Routes routes({{"byhost", {"h"}, {{"/hello", {}}}}, {"local", {}, {}, "1", "/hello"}});
  EXPECT_EQ(routes.find("h", "/hello"), "byhost /hello");
  EXPECT_EQ(routes.find("h", "/hello/x"), "local /x");
}

TEST(Routing, RefusesDotSegments) {
  const Routes routes({{"a", {"h"}, {}}});
  for (const char* path : {"/..", "/a/../b", "/a/.", "/%2e%2E/x", "/.%2e", "x", ""}) EXPECT_EQ(routes.find("h", path), "bad path") << path;
  for (const char* path : {"/...", "/.a", "/a.b", "/a..", "/%2ex", "//"}) EXPECT_NE(routes.find("h", path), "bad path") << path;
}

TEST(Routing, BoundsParameters) {
  std::string path;
  for (int i = 0; i < 20; ++i) path += "/{p" + std::to_string(i) + "}";
  const Routes routes({{"deep", {"h"}, {{path, {}}}}});
  std::string request;
  for (int i = 0; i < 20; ++i) request += "/x";
  EXPECT_EQ(routes.find("h", request), "no path");
}

}  // namespace
}  // namespace pilotlight::core
