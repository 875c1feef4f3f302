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
  if (!sources.flag.empty()) return kube::loadKubeconfig({sources.flag});
  std::error_code ignored;
  if (const auto file = sources.stateDir / "kubeconfig"; std::filesystem::exists(file, ignored)) return kube::loadKubeconfig({file});
  if (const auto files = kube::kubeconfigFiles(sources.environment); !files.empty()) return kube::loadKubeconfig(files);
  return std::unexpected("no local instance is running: start one with `pilotlight local -f FOLDER`, or name a cluster with --kubeconfig");
}

}  // namespace pilotlight::cli
