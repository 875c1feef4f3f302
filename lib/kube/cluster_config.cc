#include "kube/cluster_config.h"

#include <fstream>

namespace pilotlight::kube {

namespace {
constexpr std::size_t kMaxFileBytes = 1U << 20;
}  // namespace

TransportOptions transportOptions(const ClusterConfig& config) {
  return {.baseUrl = config.server, .tls = config.tls, .credentials = config.credentials};
}

std::expected<std::string, std::string> readSmallFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(kMaxFileBytes + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.is_open() || file.bad()) return std::unexpected("cannot read " + path.string());
  if (file.gcount() > static_cast<std::streamsize>(kMaxFileBytes)) return std::unexpected(path.string() + " is larger than 1 MiB");
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

std::expected<ClusterConfig, std::string> inClusterConfig(const Environment& environment, const std::filesystem::path& account) {
  const std::string host = environment("KUBERNETES_SERVICE_HOST");
  const std::string port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return std::unexpected("not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  }
  auto authority = readSmallFile(account / "ca.crt");
  if (!authority) return std::unexpected(authority.error());
  ClusterConfig config;
  config.server = "https://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  config.tls.caPem = *std::move(authority);
  config.credentials = tokenFileCredentials({.path = account / "token"});
  if (const auto first = config.credentials->current(); !first) return std::unexpected(first.error().message);
  if (auto name = readSmallFile(account / "namespace"); name && !name->empty()) config.namespace_ = *std::move(name);
  return config;
}

}  // namespace pilotlight::kube
