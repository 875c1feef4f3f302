#include "core/owner.h"

#include <algorithm>

namespace pilotlight::core {

namespace {

/// FNV-1a with a last mixing (splitmix64's): the same on every gateway, whatever its standard library.
std::uint64_t weight(std::string_view function, std::string_view gateway) {
  std::uint64_t hash = 14695981039346656037ULL;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  };
  add(gateway);
  add("|");
  add(function);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

}  // namespace

const std::string* preferredGateway(std::string_view function, const std::vector<std::string>& gateways) {
  const std::string* best = nullptr;
  std::uint64_t most = 0;
  for (const std::string& gateway : gateways) {
    const std::uint64_t own = weight(function, gateway);
    if (best && (own < most || (own == most && gateway > *best))) continue;
    best = &gateway;
    most = own;
  }
  return best;
}

OwnerChoice chooseOwner(std::string_view function, const std::optional<api::RouteOwner>& record, const std::string& self,
                        const std::string& instance, const std::vector<std::string>& gateways) {
  OwnerChoice choice{.gateway = self, .epoch = record ? record->epoch : 0};
  const bool own = record && record->gateway == self;
  if (own && record->instance == instance) return choice;
  if (record && !own && std::ranges::find(gateways, record->gateway) != gateways.end()) {
    choice.gateway = record->gateway;
    return choice;
  }
  choice.gone = true;
  if (const std::string* preferred = preferredGateway(function, gateways)) choice.gateway = *preferred;
  return choice;
}

bool takesOver(const std::optional<api::RouteOwner>& known, const std::string& self, std::int64_t askedEpoch) {
  return !known || known->gateway == self || known->epoch <= askedEpoch;
}

}  // namespace pilotlight::core
