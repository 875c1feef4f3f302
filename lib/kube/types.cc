#include "kube/types.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace pilotlight::kube {

namespace resources {

namespace {
Resource ours(const char* plural, const char* kind) {
  return {"pilotlight.dev", "v1alpha1", plural, kind};
}
Resource core(const char* plural, const char* kind) {
  return {"", "v1", plural, kind};
}
}  // namespace

const Resource functions = ours("functions", "Function");
const Resource functionVersions = ours("functionversions", "FunctionVersion");
const Resource functionRoutes = ours("functionroutes", "FunctionRoute");
const Resource pods = core("pods", "Pod");
const Resource services = core("services", "Service");
const Resource serviceAccounts = core("serviceaccounts", "ServiceAccount");
const Resource secrets = core("secrets", "Secret");
const Resource configMaps = core("configmaps", "ConfigMap");
const Resource events = core("events", "Event");
const Resource deployments{"apps", "v1", "deployments", "Deployment"};
const Resource leases{"coordination.k8s.io", "v1", "leases", "Lease"};
const Resource networkPolicies{"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"};
const Resource podDisruptionBudgets{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"};

const std::vector<Resource>& all() {
  static const std::vector<Resource> list{functions,       functionVersions, functionRoutes,      pods,   services,
                                          serviceAccounts, secrets,          configMaps,          events, deployments,
                                          leases,          networkPolicies,  podDisruptionBudgets};
  return list;
}

const Resource* find(std::string_view apiVersion, std::string_view kind) {
  for (const Resource& resource : all()) {
    if (resource.kind == kind && resource.apiVersion() == apiVersion) return &resource;
  }
  return nullptr;
}

}  // namespace resources

std::size_t KeyHash::operator()(const Key& key) const noexcept {
  const std::size_t first = std::hash<std::string>{}(key.namespace_);
  return std::hash<std::string>{}(key.name) ^ (first + 0x9e3779b97f4a7c15ULL + (first << 6) + (first >> 2));
}

namespace {

const std::string kEmpty;

const Json* member(const Json* json, std::string_view name) {
  if (json == nullptr || !json->is_object()) return nullptr;
  const auto found = json->find(name);
  return found == json->end() ? nullptr : &*found;
}

const std::string& text(const Json* json) {
  return json != nullptr && json->is_string() ? json->get_ref<const std::string&>() : kEmpty;
}

/// One step of a JSON pointer: a member, or an element of an array.
const Json* step(const Json* json, std::string_view token) {
  if (json->is_array()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    const bool whole = error == std::errc{} && end == token.data() + token.size();
    return whole && index < json->size() ? &(*json)[index] : nullptr;
  }
  if (token.find('~') == std::string_view::npos) return member(json, token);
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escaped = token[i] == '~' && i + 1 < token.size();
    name += escaped ? (token[++i] == '1' ? '/' : '~') : token[i];
  }
  return member(json, name);
}

}  // namespace

Object::Object(Json json) : json_(std::make_shared<const Json>(std::move(json))) {}

Key Object::key() const {
  return {namespace_(), name()};
}

const std::string& Object::name() const {
  return stringAt("/metadata/name");
}
const std::string& Object::namespace_() const {
  return stringAt("/metadata/namespace");
}
const std::string& Object::uid() const {
  return stringAt("/metadata/uid");
}
const std::string& Object::resourceVersion() const {
  return stringAt("/metadata/resourceVersion");
}
std::int64_t Object::generation() const {
  return intAt("/metadata/generation");
}
bool Object::deleting() const {
  return !stringAt("/metadata/deletionTimestamp").empty();
}

const std::string& Object::label(std::string_view name) const {
  return text(member(at("/metadata/labels"), name));
}
const std::string& Object::annotation(std::string_view name) const {
  return text(member(at("/metadata/annotations"), name));
}

const Json* Object::at(std::string_view pointer) const {
  const Json* json = json_.get();
  while (json != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    json = step(json, pointer.substr(0, end));
    pointer.remove_prefix(end);
  }
  return json;
}

std::int64_t Object::intAt(std::string_view pointer, std::int64_t absent) const {
  const Json* json = at(pointer);
  return json != nullptr && json->is_number_integer() ? json->get<std::int64_t>() : absent;
}

const std::string& Object::stringAt(std::string_view pointer) const {
  return text(at(pointer));
}

}  // namespace pilotlight::kube
