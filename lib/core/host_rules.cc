#include "core/host_rules.h"

#include <fmt/format.h>

#include <algorithm>

namespace pilotlight::core {

namespace {

constexpr std::string_view kAny = "*";

struct OwnerView {
  std::string_view namespace_, name;
};

/// "orders.shop": exactly two labels.
std::optional<OwnerView> twoLabels(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || text.find('.', dot + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return OwnerView{text.substr(dot + 1), text.substr(0, dot)};
}

std::optional<OwnerView> ownerBefore(std::string_view host, std::string_view suffix) {
  const std::size_t rest = host.size() - std::min(host.size(), suffix.size() + 1);
  return rest > 0 && host[rest] == '.' && host.ends_with(suffix) ? twoLabels(host.substr(0, rest)) : std::nullopt;
}

/// Of a name that can be nothing but a Function's own.
std::optional<OwnerView> ownerOf(std::string_view host, const HostRules& rules) {
  auto owner = ownerBefore(host, rules.domain);
  if (!owner && !rules.clusterDomain.empty()) {
    owner = ownerBefore(host, "svc");
    if (!owner && host.ends_with(rules.clusterDomain)) {
      owner = ownerBefore(host, "svc." + rules.clusterDomain);
    }
  }
  return owner;
}

/// Null: no suffix but "*" is for this host.
const std::set<std::string>* listed(std::string_view host, const HostRules& rules) {
  for (std::string_view suffix = host;;) {
    if (const auto found = rules.allowed.find(suffix); found != rules.allowed.end()) {
      return &found->second;
    }
    const std::size_t dot = suffix.find('.');
    if (dot == std::string_view::npos) {
      return nullptr;
    }
    suffix.remove_prefix(dot + 1);
  }
}

bool isOf(const OwnerView& owner, const FunctionId& id) {
  return owner.namespace_ == id.namespace_ && owner.name == id.name;
}

std::string refused(std::string_view host, std::string_view why, const FunctionId& id) {
  return fmt::format("host {}: {}; name another host, or have namespace {} allowed for this one (--allow-host, in the chart `hosts`)", host,
                     why, id.namespace_);
}

}  // namespace

std::vector<std::string> serviceHosts(const FunctionId& id, const HostRules& rules) {
  if (rules.clusterDomain.empty()) {
    return {};
  }
  const std::string base = id.name + "." + id.namespace_;
  return {base, base + ".svc", base + ".svc." + rules.clusterDomain};
}

std::string defaultHost(const FunctionId& id, const HostRules& rules) {
  return fmt::format("{}.{}.{}", id.name, id.namespace_, rules.domain);
}

std::optional<std::string> hostRefusal(const FunctionId& id, std::string_view host, const HostRules& rules) {
  if (const auto owner = ownerOf(host, rules)) {
    return isOf(*owner, id) ? std::nullopt
                            : std::optional(fmt::format("host {}: it is the name of Function {}/{} and of no other; name another host",
                                                        host, owner->namespace_, owner->name));
  }
  const auto* namespaces = listed(host, rules);
  // "orders" and "orders.shop" could be hosts of the world, but pods of the cluster mean a Function by them.
  if (namespaces == nullptr && !rules.clusterDomain.empty()) {
    if (host.find('.') == std::string_view::npos) {
      return refused(host, "pods of each namespace mean a Function of their own by it", id);
    }
    if (const auto meant = twoLabels(host)) {
      return isOf(*meant, id)
                 ? std::nullopt
                 : std::optional(refused(host, fmt::format("pods mean Function {}/{} by it", meant->namespace_, meant->name), id));
    }
  }
  if (rules.allowed.empty()) {
    return std::nullopt;
  }
  if (const auto any = rules.allowed.find(kAny); namespaces == nullptr && any != rules.allowed.end()) {
    namespaces = &any->second;
  }
  if (namespaces != nullptr && (namespaces->contains(id.namespace_) || namespaces->contains(std::string(kAny)))) {
    return std::nullopt;
  }
  return refused(host, fmt::format("namespace {} may not have it", id.namespace_), id);
}

std::expected<void, std::string> allowHosts(HostRules& rules, std::string_view text) {
  const std::size_t sign = text.find('=');
  const auto wrong = [&] { return std::unexpected(fmt::format("{}: must be SUFFIX=NAMESPACE,…, as example.com=shop,billing", text)); };
  if (sign == std::string_view::npos || sign == 0) {
    return wrong();
  }
  auto& namespaces = rules.allowed[std::string(text.substr(0, sign))];
  for (std::string_view left = text.substr(sign + 1);;) {
    const std::size_t comma = left.find(',');
    const std::string_view name = left.substr(0, comma);
    if (name.empty()) {
      return wrong();
    }
    namespaces.emplace(name);
    if (comma == std::string_view::npos) {
      return {};
    }
    left.remove_prefix(comma + 1);
  }
}

}  // namespace pilotlight::core
