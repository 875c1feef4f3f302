#include "program/cluster.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "kube/kubeconfig.h"

namespace pilotlight::program {

std::expected<Cluster, std::string> openCluster(const ClusterOptions& options) {
  auto config = options.kubeconfig.empty() ? kube::findClusterConfig(environment, options.context)
                                           : kube::loadKubeconfig({options.kubeconfig}, options.context);
  if (!config) return std::unexpected(config.error());
  auto transport = kube::makeTransport(kube::transportOptions(*config));
  if (!transport) return std::unexpected(transport.error().message);
  Cluster cluster;
  cluster.transport = *std::move(transport);
  cluster.client = std::make_unique<kube::RestClient>(*cluster.transport, options.rest);
  cluster.namespace_ = config->namespace_;
  return cluster;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string hostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace pilotlight::program
