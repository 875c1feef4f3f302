// Which function answers a request: by host, then the most specific path, then the method.
//
// Paths are tried segment by segment, literal before {parameter} before {proxy+}, so that the longest literal match wins.
// `{proxy+}` takes the rest of the path, which may be empty: /files/{proxy+} matches /files/ and /files/a/b, not /files.
// Thread-safety: a built table is immutable; match() allocates nothing and may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "core/host_rules.h"

namespace pilotlight::core {

struct PathParameter {
  std::string_view name, value;  ///< value as sent, not percent-decoded
};

struct RouteMatch {
  enum class Outcome { found, noHost, noPath, noMethod, badPath };
  static constexpr std::size_t kMaxParameters = 16;
  Outcome outcome = Outcome::noHost;
  std::size_t route = 0;                                 ///< found, noMethod: index in the span that the table was built from
  std::string_view prefix;                               ///< local mode: the part of the path that named the function; not seen by it
  std::string_view path;                                 ///< what the function sees; never empty
  std::array<PathParameter, kMaxParameters> parameters;  ///< none of a function without routes of its own
  std::size_t parameterCount = 0;
};

/// Two routes claim the same host, path and method: the older keeps it. Or the same host, for two namespaces.
struct RouteConflict {
  std::size_t loser = 0, winner = 0;
  std::string host;  ///< or the local path
  std::string path;  ///< "": the whole host
};

class RouteTable {
 public:
  RouteTable();
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  /// A contested host or path goes to whom core/host_claims.h says; what a route may not have by the rules is left out.
  static RouteTable build(std::span<const api::FunctionRoute* const> routes, const HostRules& rules = {},
                          std::vector<RouteConflict>* conflicts = nullptr);

  /// `host` as sent (any case, with or without port). `path` without query.
  RouteMatch match(std::string_view host, std::string_view path, std::string_view method) const;

 private:
  struct Node;
  struct Endpoint;
  struct Builder;
  class Sites;
  using Names = std::vector<std::string>;

  static bool matchTrie(const Node& root, std::string_view path, std::string_view method, RouteMatch& match);
  bool matchLocal(std::string_view path, std::string_view method, RouteMatch& match) const;

  // With thousands of functions each piece of memory that a request looks at is a miss of the caches, so what is small lies
  // together, and lists that many endpoints have alike ("{proxy+}", no methods) are there once.
  std::unique_ptr<Sites> hosts_, locals_;  // locals: by local path, "/hello" or "/shop/orders"
  std::set<Names> names_;                  // what endpoints point into
};

}  // namespace pilotlight::core
