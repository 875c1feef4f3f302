// Who may serve a host and path that two Functions claim. A host is its oldest claimant's namespace's; within that the Function that was
// created first keeps a path. Who may not have a host at all (core/host_rules.h) claims nothing there.
// Every operator and gateway decides by the same rules, from the FunctionRoutes alone, so they agree without talking: gateways by
// core/routing.h, which a test compares with this.
// Thread-safety: free functions are pure; HostClaims is a plain value that its owner guards.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "core/host_rules.h"

namespace pilotlight::core {

/// The smaller one keeps what two claim: the older creationTimestamp (RFC 3339 in UTC, so text order is time order), then namespace and
/// name.
struct Precedence {
  std::string created;
  FunctionId id;
  auto operator<=>(const Precedence&) const = default;
};

/// Why a Function does not get all that it claims.
struct HostConflict {
  std::string reason;  ///< CamelCase: HostNotAllowed, HostTaken, HostPathConflict
  std::string message;
};

/// "/users/{id}" and "/users/{name}" match the same requests: parameters lose their names, "{proxy+}" stays greedy.
std::string normalizePath(std::string_view path);

/// The claims of all FunctionRoutes, indexed, so that one route is checked without looking at all others.
/// A claim is a host, a normalised path and one method, or all methods: a route for all methods and one for GET live side
/// by side, the one that names the method is tried first.
class HostClaims {
 public:
  explicit HostClaims(HostRules rules = {}) : rules_(std::move(rules)) {}

  /// Sets what a Function claims. Returns the others whose standing may change: those that share a claim that came or went, or a host
  /// that is another namespace's now.
  std::vector<FunctionId> put(const FunctionId& id, const api::FunctionRouteSpec& spec);
  std::vector<FunctionId> erase(const FunctionId& id);

  /// The first of what `spec` claims that `id` can't have.
  std::optional<HostConflict> conflictOf(const FunctionId& id, const api::FunctionRouteSpec& spec) const;

 private:
  struct Claim {
    std::string host, path, method;  ///< path normalised; method "" for all
    auto operator<=>(const Claim&) const = default;
  };
  struct Claimed {
    std::string created;
    std::set<std::string> hosts;
    std::set<Claim> claims;
    bool operator==(const Claimed&) const = default;
  };
  template <class Key>
  using Holders = std::map<Key, std::set<Precedence>>;

  Claimed claimedBy(const FunctionId& id, const api::FunctionRouteSpec& spec) const;
  std::optional<HostConflict> hostConflict(const FunctionId& id, const std::string& created, const std::string& host) const;
  std::string keeper(const std::string& host) const;  ///< its namespace; "": nobody claims it
  void changeHolders(const FunctionId& id, const Claimed& before, const Claimed& after);

  HostRules rules_;
  Holders<std::string> hosts_;
  Holders<Claim> claims_;
  std::map<FunctionId, Claimed> claimed_;
};

}  // namespace pilotlight::core
