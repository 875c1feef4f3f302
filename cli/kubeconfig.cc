#include "cli/kubeconfig.h"

#include <nlohmann/json.hpp>

#include "kube/yaml.h"

namespace pilotlight::cli {

using Json = nlohmann::json;

namespace {
constexpr std::string_view kHttp = "http://";
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
  return kube::jsonToYaml(config);
}

std::expected<kube::ClusterConfig, std::string> findApi(const ApiAddressSources& sources) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!sources.flag.empty()) return kube::loadKubeconfig({sources.flag}, sources.context);
  if (sources.context.empty() && !sources.stateDir.empty()) {
    if (const auto file = sources.stateDir / "kubeconfig"; fs::exists(file, ignored)) return kube::loadKubeconfig({file});
  }
  const auto variable = [&](const char* name) { return sources.environment(name); };
  const bool cluster = !variable("KUBECONFIG").empty() || !variable("KUBERNETES_SERVICE_HOST").empty() ||
                       (!variable("HOME").empty() && fs::exists(fs::path(variable("HOME")) / ".kube" / "config", ignored));
  if (cluster) return kube::findClusterConfig(sources.environment, sources.context);
  return std::unexpected("no local instance is running: start one with `pilotlight local -f FOLDER`, or name a cluster with --kubeconfig");
}

}  // namespace pilotlight::cli
