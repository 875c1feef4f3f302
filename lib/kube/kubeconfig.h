// kubeconfig files, as kubectl reads them.
//
// Supported: server, certificate-authority(-data), tls-server-name, insecure-skip-tls-verify; client-certificate(-data),
// client-key(-data), token, tokenFile, username and password of an http server's URL (dropped: the token says the same),
// exec. Refused with a message: proxy-url, auth-provider, impersonation, username and password of a user, an exec plugin
// that must ask at a terminal. Relative paths are relative to the file that has them.
// Errors name the file or entry, never a secret.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "kube/cluster_config.h"

namespace pilotlight::kube {

/// One file's text; `folder` is what its relative paths are relative to. `context` empty: the current one.
std::expected<ClusterConfig, std::string> readKubeconfig(const std::string& text, const std::filesystem::path& folder = ".",
                                                         const std::string& context = "");

/// Several files, missing ones skipped: of entries with the same name, and of the current context, the first wins.
std::expected<ClusterConfig, std::string> loadKubeconfig(const std::vector<std::filesystem::path>& files, const std::string& context = "");

/// $KUBECONFIG split at its colons; empty when it is unset.
std::vector<std::filesystem::path> kubeconfigFiles(const Environment& environment);

/// What kubectl and a controller use: $KUBECONFIG, else (without a `context`) the pod's own, else ~/.kube/config.
std::expected<ClusterConfig, std::string> findClusterConfig(const Environment& environment, const std::string& context = "");

}  // namespace pilotlight::kube
