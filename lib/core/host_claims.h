// Who may serve a host and path that two Functions claim: the one that was created first keeps it.
// Every operator and gateway decides by the same rule, from the FunctionRoutes alone, so they agree without talking.
// Thread-safety: free functions are pure; HostClaims is a plain value that its owner guards.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/types.h"

namespace pilotlight::core {

/// Namespace and name of a Function.
struct FunctionId {
  std::string namespace_, name;
  auto operator<=>(const FunctionId&) const = default;
};

struct HostConflict {
  std::string host;
  std::string path;   ///< as the losing Function wrote it
  FunctionId holder;  ///< who keeps them
};

/// "/users/{id}" and "/users/{name}" match the same requests: parameters lose their names, "{proxy+}" stays greedy.
std::string normalizePath(std::string_view path);

/// True when `a` keeps what both claim: the older creationTimestamp (RFC 3339 in UTC, so text order is time order), then
/// namespace and name. core/routing.h decides the same way.
bool holdsBefore(std::string_view createdA, const FunctionId& a, std::string_view createdB, const FunctionId& b);

/// The claims of all FunctionRoutes, indexed, so that one route is checked without looking at all others.
/// A claim is a host, a normalised path and one method, or all methods: a route for all methods and one for GET live side
/// by side, the one that names the method is tried first.
class HostClaims {
 public:
  /// Sets what a Function claims. Returns the others whose standing may change: those that share a claim that came or went.
  std::vector<FunctionId> put(const FunctionId& id, const api::FunctionRouteSpec& spec);
  std::vector<FunctionId> erase(const FunctionId& id);

  /// The first claim of `spec` that a Function with precedence over `id` holds.
  std::optional<HostConflict> conflictOf(const FunctionId& id, const api::FunctionRouteSpec& spec) const;

 private:
  struct Claim {
    std::string host, path, method;  ///< path normalised; method "" for all
    auto operator<=>(const Claim&) const = default;
  };
  template <class Visit>
  static void forEachClaim(const api::FunctionRouteSpec& spec, Visit visit);

  std::map<Claim, std::map<FunctionId, std::string>> holders_;  ///< with their creation times
  std::map<FunctionId, std::set<Claim>> claims_;
};

}  // namespace pilotlight::core
