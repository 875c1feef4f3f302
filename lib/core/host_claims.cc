#include "core/host_claims.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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

namespace {

template <class Visit>
void forEachClaim(const api::FunctionRouteSpec& spec, Visit visit) {
  static const std::vector<api::HttpRoute> everyPath{api::HttpRoute{}};
  static const std::vector<std::string> everyMethod{""};
  for (const auto& route : spec.routes.empty() ? everyPath : spec.routes) {
    for (const auto& method : route.methods.empty() ? everyMethod : route.methods) {
      visit(route.path, method);
    }
  }
}

template <class Holders, class Keys>
void insert(Holders& holders, const Keys& keys, const Precedence& who) {
  for (const auto& key : keys) {
    holders[key].insert(who);
  }
}
template <class Holders, class Keys>
void remove(Holders& holders, const Keys& keys, const Precedence& who) {
  for (const auto& key : keys) {
    if (const auto found = holders.find(key); found->second.erase(who) > 0 && found->second.empty()) {
      holders.erase(found);
    }
  }
}
template <class Holders, class Key>
void addHolders(const Holders& holders, const Key& key, std::set<FunctionId>& into) {
  if (const auto found = holders.find(key); found != holders.end()) {
    std::ranges::transform(found->second, std::inserter(into, into.end()), &Precedence::id);
  }
}

std::string nameOf(const FunctionId& id) {
  return id.namespace_ + "/" + id.name;
}

}  // namespace

HostClaims::Claimed HostClaims::claimedBy(const FunctionId& id, const api::FunctionRouteSpec& spec) const {
  Claimed claimed{.created = spec.created, .hosts = {}, .claims = {}};
  for (const auto& host : spec.hosts) {
    if (!hostRefusal(id, host, rules_)) {
      claimed.hosts.insert(host);
      forEachClaim(spec,
                   [&](const std::string& path, const std::string& method) { claimed.claims.insert({host, normalizePath(path), method}); });
    }
  }
  return claimed;
}

std::string HostClaims::keeper(const std::string& host) const {
  const auto holders = hosts_.find(host);
  return holders == hosts_.end() ? "" : holders->second.begin()->id.namespace_;
}

void HostClaims::changeHolders(const FunctionId& id, const Claimed& before, const Claimed& after) {
  remove(hosts_, before.hosts, {before.created, id});
  remove(claims_, before.claims, {before.created, id});
  insert(hosts_, after.hosts, {after.created, id});
  insert(claims_, after.claims, {after.created, id});
}

std::vector<FunctionId> HostClaims::put(const FunctionId& id, const api::FunctionRouteSpec& spec) {
  const Claimed after = claimedBy(id, spec);
  const Claimed before = std::exchange(claimed_[id], after);
  std::map<std::string, std::string> keepers;
  for (const auto* hosts : {&before.hosts, &after.hosts}) {
    for (const auto& host : *hosts) {
      keepers.emplace(host, keeper(host));
    }
  }
  changeHolders(id, before, after);
  std::set<FunctionId> affected;
  for (const auto& [host, was] : keepers) {
    if (keeper(host) != was) {
      addHolders(hosts_, host, affected);
    }
  }
  std::set<Claim> changed;
  if (before.created == after.created) {
    std::ranges::set_symmetric_difference(before.claims, after.claims, std::inserter(changed, changed.end()));
  } else {
    std::ranges::set_union(before.claims, after.claims, std::inserter(changed, changed.end()));
  }
  for (const auto& claim : changed) {
    addHolders(claims_, claim, affected);
  }
  if (after.hosts.empty()) {
    claimed_.erase(id);
  }
  affected.erase(id);
  return {affected.begin(), affected.end()};
}

std::vector<FunctionId> HostClaims::erase(const FunctionId& id) {
  return put(id, api::FunctionRouteSpec{});
}

std::optional<HostConflict> HostClaims::hostConflict(const FunctionId& id, const std::string& created, const std::string& host) const {
  if (auto refusal = hostRefusal(id, host, rules_)) {
    return HostConflict{"HostNotAllowed", *std::move(refusal)};
  }
  const auto holders = hosts_.find(host);
  if (holders == hosts_.end()) {
    return std::nullopt;
  }
  const Precedence& first = *holders->second.begin();
  if (first.id.namespace_ == id.namespace_ || Precedence{created, id} < first) {
    return std::nullopt;
  }
  return HostConflict{"HostTaken", fmt::format("host {}: namespace {} has it, by Function {}, which is older; name another host", host,
                                               first.id.namespace_, nameOf(first.id))};
}

std::optional<HostConflict> HostClaims::conflictOf(const FunctionId& id, const api::FunctionRouteSpec& spec) const {
  std::optional<HostConflict> conflict;
  for (const auto& host : spec.hosts) {
    conflict = hostConflict(id, spec.created, host);
    forEachClaim(spec, [&](const std::string& path, const std::string& method) {
      const auto holders = conflict ? claims_.end() : claims_.find({host, normalizePath(path), method});
      if (holders == claims_.end()) {
        return;
      }
      // Others of other namespaces may stand here too: they have not got the host.
      const auto other = std::ranges::find_if(holders->second, [&](const Precedence& each) { return each.id.namespace_ == id.namespace_; });
      if (other != holders->second.end() && other->id != id && *other < Precedence{spec.created, id}) {
        conflict = HostConflict{"HostPathConflict",
                                fmt::format("host {} path {}: Function {} is older and keeps it", host, path, nameOf(other->id))};
      }
    });
    if (conflict) {
      break;
    }
  }
  return conflict;
}

}  // namespace pilotlight::core
