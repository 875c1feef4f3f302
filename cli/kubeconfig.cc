#include "cli/kubeconfig.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/yaml.h"

namespace pilotlight::cli {

using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kHttp = "http://";

/// The entry of a kubeconfig's list with this name: {name, <kind>: {…}} -> {…}.
const Json* named(const Json& config, const char* list, const std::string& name, const char* kind) {
  const auto entries = config.find(list);
  if (entries == config.end() || !entries->is_array()) return nullptr;
  for (const auto& entry : *entries) {
    if (entry.is_object() && entry.value("name", Json()) == name && entry.contains(kind)) return &entry.at(kind);
  }
  return nullptr;
}

std::string text(const Json& object, const char* field) {
  const auto value = object.is_object() ? object.find(field) : object.end();
  return value != object.end() && value->is_string() ? value->get<std::string>() : "";
}

std::expected<std::string, std::string> readFile(const fs::path& path) {
  std::ifstream file(path);
  if (!file) return std::unexpected(fmt::format("cannot read {}", path.string()));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::expected<ApiAddress, std::string> readFrom(const fs::path& path) {
  auto content = readFile(path);
  if (!content) return std::unexpected(content.error());
  auto address = readKubeconfig(*content);
  if (!address) return std::unexpected(fmt::format("{}: {}", path.string(), address.error()));
  return address;
}

}  // namespace

std::string writeKubeconfig(const ApiAddress& address) {
  std::string server = address.server;
  if (server.starts_with(kHttp) && !address.token.empty()) server.insert(kHttp.size(), "pilotlight:" + address.token + "@");
  const Json config = {
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"current-context", address.context},
      {"clusters", {{{"name", address.context}, {"cluster", {{"server", server}}}}}},
      {"users", {{{"name", address.context}, {"user", {{"token", address.token}}}}}},
      {"contexts",
       {{{"name", address.context},
         {"context", {{"cluster", address.context}, {"user", address.context}, {"namespace", address.namespace_}}}}}},
  };
  return jsonToYaml(config);
}

std::expected<ApiAddress, std::string> readKubeconfig(const std::string& content) {
  const auto config = yamlToJson(content);
  if (!config) return std::unexpected(config.error());
  if (!config->is_object()) return std::unexpected("not a kubeconfig");
  ApiAddress address;
  address.context = text(*config, "current-context");
  const Json* context = named(*config, "contexts", address.context, "context");
  if (context == nullptr) return std::unexpected("current-context names no context");
  const Json* cluster = named(*config, "clusters", text(*context, "cluster"), "cluster");
  if (cluster == nullptr || text(*cluster, "server").empty()) return std::unexpected("the context's cluster has no server");
  address.server = text(*cluster, "server");
  if (const auto at = address.server.find('@'); address.server.starts_with(kHttp) && at != std::string::npos) {
    address.server.erase(kHttp.size(), at + 1 - kHttp.size());
  }
  if (address.server.starts_with("https:")) {
    return std::unexpected("an https server needs certificates, which this version cannot use; use kubectl for a real cluster");
  }
  if (const Json* user = named(*config, "users", text(*context, "user"), "user")) address.token = text(*user, "token");
  if (auto name = text(*context, "namespace"); !name.empty()) address.namespace_ = name;
  return address;
}

std::expected<ApiAddress, std::string> findApi(const ApiAddressSources& sources) {
  if (!sources.flag.empty()) return readFrom(sources.flag);
  std::error_code ignored;
  if (const auto file = sources.stateDir / "kubeconfig"; fs::exists(file, ignored)) return readFrom(file);
  if (const auto list = sources.environment("KUBECONFIG"); !list.empty()) return readFrom(list.substr(0, list.find(':')));
  return std::unexpected("no local instance is running: start one with `pilotlight local -f FOLDER`, or name a cluster with --kubeconfig");
}

}  // namespace pilotlight::cli
