// Which API the commands talk to: the running local instance, or a cluster of a kubeconfig.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "cli/state_dir.h"
#include "kube/kubeconfig.h"

namespace pilotlight::cli {

/// Name of cluster, user and context in the file that `pilotlight local` writes.
inline constexpr const char* kLocalContext = "pilotlight-local";

/// Where a local instance serves its API.
struct ApiAddress {
  std::string server;  ///< "http://127.0.0.1:39001"
  std::string token;
  std::string context;
  std::string namespace_ = "default";
};

/// kubectl sends no bearer token over plain HTTP: such a server carries it in its URL too, as user and password.
std::string writeKubeconfig(const ApiAddress& address);

struct ApiAddressSources {
  std::string flag;                ///< --kubeconfig
  std::string context;             ///< --context
  std::filesystem::path stateDir;  ///< of the local instance; empty: none is looked for
  Environment environment;
};

/// --kubeconfig, else (without --context) the running local instance's file, else what kubectl would use. The error says how
/// to start a local instance.
std::expected<kube::ClusterConfig, std::string> findApi(const ApiAddressSources& sources);

}  // namespace pilotlight::cli
