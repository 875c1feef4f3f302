// Which hosts a Function may ask for at all, before it matters who asks first (that is core/host_claims.h). Operator and gateways are
// given the same rules, so they agree without talking.
// Thread-safety: free functions are pure.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::core {

/// Namespace and name of a Function.
struct FunctionId {
  std::string namespace_, name;
  auto operator<=>(const FunctionId&) const = default;
};

/// Names are in lower case.
struct HostRules {
  std::string domain = "localhost";  ///< a Function's default host: {name}.{namespace}.{domain}
  std::string clusterDomain{};       ///< that Services' names end with; empty: there are none (local mode)
  /// The namespaces that may have hosts with this suffix, of whole labels; "*": all of them. The longest suffix decides; "*" is for hosts
  /// that no other one is for. Empty: nothing is said, and a host is its first namespace's.
  std::map<std::string, std::set<std::string>, std::less<>> allowed{};
};

/// The names that pods call a Function's Service by; none without a cluster.
std::vector<std::string> serviceHosts(const FunctionId& id, const HostRules& rules);
std::string defaultHost(const FunctionId& id, const HostRules& rules);

/// Why this Function can't have the host, whoever else wants it, and what to do; nullopt: it can. `host` in lower case.
std::optional<std::string> hostRefusal(const FunctionId& id, std::string_view host, const HostRules& rules);

/// Adds "example.com=shop,billing" to what is allowed. The error says what is wrong with it.
std::expected<void, std::string> allowHosts(HostRules& rules, std::string_view text);

}  // namespace pilotlight::core
