// The API server under test, from PILOTLIGHT_API_STATE, the folder of tests/cluster/api.sh.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kube/kubeconfig.h"
#include "kube/rest_client.h"
#include "kube/transport.h"

namespace pilotlight::kube {

class RealCluster {
 public:
  /// Why there is no API server to test; nullopt when there is.
  static std::optional<std::string> problem();
  /// A file of the state folder, such as "token.kubeconfig".
  static std::string file(const std::string& name);
  /// Runs `api.sh COMMAND STATE PART`; aborts the program when it fails.
  static void part(const std::string& command, const std::string& part);

  explicit RealCluster(const std::string& kubeconfig = "admin.kubeconfig", RestOptions options = {});

  RestClient& client() { return client_; }
  Transport& transport() { return *transport_; }
  const ClusterConfig& config() const { return config_; }
  /// Made for the caller; never removed: the API server goes with the test run.
  std::string freshNamespace();

 private:
  ClusterConfig config_;
  std::unique_ptr<Transport> transport_;
  RestClient client_;
};

}  // namespace pilotlight::kube
