// The operator's condition and the gateways' routing must name the same winners: HostClaims and RouteTable are asked about the same
// worlds, which are small, so that Functions often want the same.
#include <gtest/gtest.h>

#include <random>

#include "core/host_claims.h"
#include "core/routing.h"

namespace pilotlight::core {
namespace {

// A path, and a request that no other path is closer to.
struct Path {
  const char *path, *request;
};
constexpr Path kPaths[]{{"/{proxy+}", "/p/q/r"}, {"/{rest+}", "/p/q/r"}, {"/a", "/a"},
                        {"/a/{x}", "/a/1"},      {"/a/{y}", "/a/1"},     {"/a/{z+}", "/a/1/2"}};
constexpr const char* kHosts[]{"api.example.org", "www.example.org", "a.one.svc", "a.one", "b.two.localhost", "free.example.net"};
constexpr const char* kMethods[]{"GET", "PUT", "POST"};
constexpr const char* kNobodysMethod = "PATCH";

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    rules_.clusterDomain = "cluster.local";
    if (seed % 2 == 0) {
      rules_.allowed = {{"example.org", {"one", "two"}}, {"www.example.org", {"two"}}, {"*", {"*"}}};
    }
    for (const char* namespace_ : {"one", "two", "three"}) {
      for (const char* name : {"a", "b"}) routes_.push_back(route(namespace_, name));
    }
  }

  void compare() const {
    std::vector<const api::FunctionRoute*> plain;
    HostClaims claims(rules_);
    for (const auto& each : routes_) {
      plain.push_back(&each);
      claims.put(idOf(each), each.spec);
    }
    const RouteTable table = RouteTable::build(plain, rules_);
    for (std::size_t i = 0; i < routes_.size(); ++i) compare(i, claims, table);
  }

 private:
  static FunctionId idOf(const api::FunctionRoute& route) { return {route.metadata.namespace_, route.metadata.name}; }
  int pick(int below) { return std::uniform_int_distribution(0, below - 1)(random_); }

  api::FunctionRoute route(const char* namespace_, const char* name) {
    api::FunctionRoute made;
    made.metadata.namespace_ = namespace_;
    made.metadata.name = name;
    made.spec.created = "2026-01-0" + std::to_string(1 + pick(3)) + "T00:00:00Z";
    for (const char* host : kHosts) {
      if (pick(2) == 0) made.spec.hosts.push_back(host);
    }
    for (const auto& path : kPaths) {
      if (pick(3) != 0) continue;
      api::HttpRoute each{.path = path.path, .methods = {}};
      for (const char* method : kMethods) {
        if (pick(3) == 0) each.methods.push_back(method);
      }
      made.spec.routes.push_back(std::move(each));
    }
    return made;
  }

  /// Each claim for itself: the gateway gives it to this route if, and only if, the operator sees no conflict.
  void compare(std::size_t index, const HostClaims& claims, const RouteTable& table) const {
    const auto& mine = routes_[index];
    for (const auto& host : mine.spec.hosts) {
      for (const auto& path : mine.spec.routes.empty() ? std::vector{api::HttpRoute{}} : mine.spec.routes) {
        for (const auto& method : path.methods.empty() ? std::vector<std::string>{""} : path.methods) {
          api::FunctionRouteSpec one;
          one.created = mine.spec.created;
          one.hosts = {host};
          one.routes = {{path.path, {}}};
          if (!method.empty()) one.routes[0].methods = {method};
          const auto conflict = claims.conflictOf(idOf(mine), one);
          const auto request = std::ranges::find_if(kPaths, [&](const Path& each) { return path.path == each.path; })->request;
          const auto match = table.match(host, request, method.empty() ? kNobodysMethod : method);
          const bool served = match.outcome == RouteMatch::Outcome::found && match.route == index;
          EXPECT_EQ(served, !conflict) << mine.metadata.namespace_ << "/" << mine.metadata.name << " at " << host << path.path << " "
                                       << method << ": " << (conflict ? conflict->message : "no conflict");
        }
      }
    }
  }

  std::mt19937 random_;
  HostRules rules_;
  std::vector<api::FunctionRoute> routes_;
};

TEST(HostAgreement, OperatorAndGatewaysNameTheSameWinners) {
  for (unsigned seed = 0; seed < 500 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    World(seed).compare();
  }
}

}  // namespace
}  // namespace pilotlight::core
