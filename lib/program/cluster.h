// The way to the API server for a program that runs in a cluster, or beside one.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "kube/rest_client.h"
#include "kube/transport.h"

namespace pilotlight::program {

struct ClusterOptions {
  std::string kubeconfig{};  ///< a file; empty: $KUBECONFIG, else the pod's own account, else ~/.kube/config
  std::string context{};     ///< of the files; empty: their current one
  kube::RestOptions rest{};
};

/// Destroyed in the right order. Thread-safe as its parts.
struct Cluster {
  std::unique_ptr<kube::Transport> transport;
  std::unique_ptr<kube::RestClient> client;
  std::string namespace_;  ///< of the context, or of the pod
};

/// Connects to nobody yet. The error says what is missing or wrong.
std::expected<Cluster, std::string> openCluster(const ClusterOptions& options);

std::string environment(const char* name);  ///< "" when unset
std::string hostName();

}  // namespace pilotlight::program
