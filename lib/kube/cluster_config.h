// How to reach an API server: from kubeconfig files (kubeconfig.h) or from what the kubelet puts into every pod.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "kube/credentials.h"
#include "kube/tls.h"
#include "kube/transport.h"

namespace pilotlight::kube {

struct ClusterConfig {
  std::string server{};  ///< "https://127.0.0.1:6443"
  TlsOptions tls{};
  std::shared_ptr<CredentialSource> credentials{};
  std::string context{};  ///< the kubeconfig's; empty in a pod
  std::string namespace_ = "default";
};

TransportOptions transportOptions(const ClusterConfig& config);

using Environment = std::function<std::string(const char* name)>;  ///< "" when unset

/// KUBERNETES_SERVICE_HOST and _PORT, and the service account's token (read again every minute), ca.crt and namespace.
/// The error says which of them is missing.
std::expected<ClusterConfig, std::string> inClusterConfig(
    const Environment& environment, const std::filesystem::path& account = "/var/run/secrets/kubernetes.io/serviceaccount");

/// Whole files, at most 1 MiB. The error names the file.
std::expected<std::string, std::string> readSmallFile(const std::filesystem::path& path);

}  // namespace pilotlight::kube
