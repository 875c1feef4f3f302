#include "core/host_claims.h"

#include <tuple>

namespace pilotlight::core {

std::string normalizePath(std::string_view path) {
  std::string normal;
  normal.reserve(path.size());
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t open = path.find('{', at);
    const std::size_t close = open == std::string_view::npos ? open : path.find('}', open);
    if (close == std::string_view::npos) {
      break;
    }
    normal += path.substr(at, open - at);
    normal += path[close - 1] == '+' ? "{+}" : "{}";
    at = close + 1;
  }
  normal += path.substr(at);
  return normal;
}

bool holdsBefore(std::string_view createdA, const FunctionId& a, std::string_view createdB, const FunctionId& b) {
  return std::tie(createdA, a) < std::tie(createdB, b);
}

template <class Visit>
void HostClaims::forEachClaim(const api::FunctionRouteSpec& spec, Visit visit) {
  static const std::vector<api::HttpRoute> everyPath{api::HttpRoute{}};
  static const std::vector<std::string> everyMethod{""};
  for (const auto& host : spec.hosts) {
    for (const auto& route : spec.routes.empty() ? everyPath : spec.routes) {
      for (const auto& method : route.methods.empty() ? everyMethod : route.methods) {
        visit(Claim{host, normalizePath(route.path), method}, route.path);
      }
    }
  }
}

std::vector<FunctionId> HostClaims::put(const FunctionId& id, const api::FunctionRouteSpec& spec) {
  std::set<Claim> wanted;
  forEachClaim(spec, [&](Claim claim, const std::string&) { wanted.insert(std::move(claim)); });
  std::set<FunctionId> affected;
  for (const auto& claim : claims_[id]) {
    if (wanted.contains(claim)) {
      continue;
    }
    auto& holders = holders_[claim];
    holders.erase(id);
    for (const auto& [other, created] : holders) {
      affected.insert(other);
    }
    if (holders.empty()) {
      holders_.erase(claim);
    }
  }
  for (const auto& claim : wanted) {
    auto& holders = holders_[claim];
    const auto [mine, fresh] = holders.try_emplace(id, spec.created);
    const bool changed = fresh || mine->second != spec.created;
    mine->second = spec.created;
    for (const auto& [other, created] : holders) {
      if (changed && other != id) {
        affected.insert(other);
      }
    }
  }
  if (wanted.empty()) {
    claims_.erase(id);
  } else {
    claims_[id] = std::move(wanted);
  }
  return {affected.begin(), affected.end()};
}

std::vector<FunctionId> HostClaims::erase(const FunctionId& id) {
  return put(id, api::FunctionRouteSpec{});
}

std::optional<HostConflict> HostClaims::conflictOf(const FunctionId& id, const api::FunctionRouteSpec& spec) const {
  std::optional<HostConflict> conflict;
  forEachClaim(spec, [&](const Claim& claim, const std::string& path) {
    const auto holders = conflict ? holders_.end() : holders_.find(claim);
    if (holders == holders_.end()) {
      return;
    }
    for (const auto& [other, created] : holders->second) {
      if (other != id && holdsBefore(created, other, spec.created, id)) {
        conflict = HostConflict{claim.host, path, other};
        return;
      }
    }
  });
  return conflict;
}

}  // namespace pilotlight::core
