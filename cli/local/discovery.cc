#include "cli/local/discovery.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "kube/types.h"

namespace pilotlight::local {

using Json = nlohmann::json;

namespace {

const std::map<std::string, std::vector<std::string>> kShortNames = {
    {"functions", {"fn"}},  {"functionversions", {"fnv"}}, {"functionroutes", {"fnr"}}, {"pods", {"po"}},   {"deployments", {"deploy"}},
    {"configmaps", {"cm"}}, {"services", {"svc"}},         {"serviceaccounts", {"sa"}}, {"events", {"ev"}},
};

Json resourceEntry(const kube::Resource& resource) {
  std::string singular = resource.kind;
  std::transform(singular.begin(), singular.end(), singular.begin(), [](unsigned char c) { return std::tolower(c); });
  Json entry = {{"name", resource.plural},
                {"singularName", singular},
                {"namespaced", true},
                {"kind", resource.kind},
                {"verbs", {"create", "delete", "get", "list", "patch", "update", "watch"}}};
  if (const auto found = kShortNames.find(resource.plural); found != kShortNames.end()) entry["shortNames"] = found->second;
  return entry;
}

Json resourceList(const std::string& groupVersion) {
  Json list = {{"kind", "APIResourceList"}, {"apiVersion", "v1"}, {"groupVersion", groupVersion}, {"resources", Json::array()}};
  for (const auto& resource : kube::resources::all()) {
    if (resource.apiVersion() != groupVersion) continue;
    list["resources"].push_back(resourceEntry(resource));
    const auto sub = [&](const char* name, const char* kind, const char* group, const char* version, Json verbs) {
      list["resources"].push_back({{"name", resource.plural + "/" + name},
                                   {"singularName", ""},
                                   {"namespaced", true},
                                   {"kind", kind},
                                   {"group", group},
                                   {"version", version},
                                   {"verbs", std::move(verbs)}});
    };
    if (resource.plural == "functions" || resource.plural == "deployments")
      sub("scale", "Scale", "autoscaling", "v1", {"get", "patch", "update"});
    if (resource.plural == "pods" || resource.plural == "functions") {
      list["resources"].push_back(
          {{"name", resource.plural + "/log"}, {"singularName", ""}, {"namespaced", true}, {"kind", resource.kind}, {"verbs", {"get"}}});
    }
  }
  return list;
}

Json groupEntry(const std::string& group, const std::string& version) {
  const Json entry = {{"groupVersion", group + "/" + version}, {"version", version}};
  return {{"name", group}, {"versions", {entry}}, {"preferredVersion", entry}};
}

}  // namespace

std::optional<Json> discovery(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/api") return Json{{"kind", "APIVersions"}, {"versions", {"v1"}}, {"serverAddressByClientCIDRs", Json::array()}};
  if (path == "/api/v1") return resourceList("v1");
  std::set<std::pair<std::string, std::string>> groups;
  for (const auto& resource : kube::resources::all()) {
    if (!resource.group.empty()) groups.emplace(resource.group, resource.version);
  }
  if (path == "/apis") {
    Json list = {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Json::array()}};
    for (const auto& [group, version] : groups) list["groups"].push_back(groupEntry(group, version));
    return list;
  }
  for (const auto& [group, version] : groups) {
    if (path == "/apis/" + group) {
      Json entry = groupEntry(group, version);
      entry["kind"] = "APIGroup";
      entry["apiVersion"] = "v1";
      return entry;
    }
    if (path == "/apis/" + group + "/" + version) return resourceList(group + "/" + version);
  }
  return std::nullopt;
}

}  // namespace pilotlight::local
