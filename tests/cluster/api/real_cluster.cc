#include "real_cluster.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace pilotlight::kube {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <class T>
T orAbort(std::expected<T, std::string> value) {
  if (value) return *std::move(value);
  std::fprintf(stderr, "%s\n", value.error().c_str());
  std::abort();
}

std::unique_ptr<Transport> open(const ClusterConfig& config) {
  auto transport = makeTransport(transportOptions(config));
  if (transport) return *std::move(transport);
  std::fprintf(stderr, "%s\n", transport.error().message.c_str());
  std::abort();
}

/// Controllers put a ConfigMap into every new namespace: what watches it should not see that come.
bool settled(Client& client, const std::string& name) {
  const auto stream = client.watch(resources::configMaps, {name, "", "", std::chrono::seconds(60)});
  while (stream) {
    const auto event = (*stream)->next(std::chrono::seconds(60));
    if (!event || !*event) return false;
    if ((**event).object.name() == "kube-root-ca.crt") return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> RealCluster::problem() {
  if (environment("PILOTLIGHT_API_STATE").empty()) return "PILOTLIGHT_API_STATE is not set";
  if (!std::filesystem::exists(file("admin.kubeconfig"))) return "there is no " + file("admin.kubeconfig");
  return std::nullopt;
}

std::string RealCluster::file(const std::string& name) {
  return environment("PILOTLIGHT_API_STATE") + "/" + name;
}

void RealCluster::part(const std::string& command, const std::string& part) {
  const std::string line = environment("PILOTLIGHT_API_SH") + " " + command + " " + environment("PILOTLIGHT_API_STATE") + " " + part;
  if (std::system(line.c_str()) == 0) return;
  std::fprintf(stderr, "failed: %s\n", line.c_str());
  std::abort();
}

RealCluster::RealCluster(const std::string& kubeconfig, RestOptions options)
    : config_(orAbort(loadKubeconfig({file(kubeconfig)}))), transport_(open(config_)), client_(*transport_, std::move(options)) {}

std::string RealCluster::freshNamespace() {
  static std::atomic<int> count{0};
  const std::string name = "test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  HttpRequest request{.method = "POST", .target = "/api/v1/namespaces", .contentType = "application/json"};
  request.body = Json({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}}).dump();
  const auto made = transport_->send(request);
  if (made && made->status == 201 && settled(client_, name)) return name;
  std::fprintf(stderr, "create namespace %s: %s\n", name.c_str(), made ? made->body.c_str() : made.error().message.c_str());
  std::abort();
}

}  // namespace pilotlight::kube
