// The operator: reconciles Functions into versions, Deployments, Services, ServiceAccounts and FunctionRoutes, and sets
// replicas from live concurrency. Works after a crash from what the API server holds.
// Thread-safety: start(), stop() from one thread; metrics() from any.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/load.h"
#include "core/render.h"
#include "kube/client.h"
#include "operator/gateway_pods.h"

namespace pilotlight::op {

struct OperatorOptions {
  std::string watchNamespace{};  ///< Functions of this namespace only; empty: of all
  core::HostRules hosts{};       ///< as the gateways have them
  bool localPaths = false;       ///< local mode: routes also serve under /{name} (namespace default) or /{namespace}/{name}
  std::string clusterUrlBase;    ///< local mode: the same for functions with visibility: cluster
  std::string urlBase;           ///< local mode: "http://127.0.0.1:8080"; the status url is urlBase + local path
  std::string gateways;          ///< "ip:port,…" internal listeners, given to shims for call-home
  std::string callHomeKey;       ///< the master key of callhome/signature.h; empty: shims sign nothing
  std::string gatewayService = "pilotlight-gateway.pilotlight-system.svc.cluster.local";  ///< target of the ExternalName Services
  std::string shimImage = "pilotlight/shim";                                              ///< for the copying init container
  std::optional<core::NetworkOptions> network{};                                          ///< nullopt: no NetworkPolicies
  std::vector<std::string> sourceNamespaces{};  ///< where changes of Secrets and ConfigMaps may be seen; "*": everywhere
  int workers = 1;                              ///< Functions reconciled at once
  std::chrono::milliseconds autoscaleTick{std::chrono::milliseconds(500)};
  std::chrono::milliseconds stableWindow{std::chrono::seconds(60)};
  std::chrono::milliseconds panicWindow{std::chrono::seconds(6)};
  std::chrono::milliseconds syncTimeout{std::chrono::seconds(10)};
  std::chrono::milliseconds sourcePatience{std::chrono::seconds(2)};  ///< for Secrets and ConfigMaps, which it starts without
  std::chrono::milliseconds shimTimeout{std::chrono::seconds(1)};
  std::chrono::milliseconds parkedLook{std::chrono::seconds(5)};
  int parkingTicks = 4;
  bool resizePods = true;                          ///< parked pods request next to nothing; needs Kubernetes 1.33
  int history = 10;                                ///< versions kept beside the one that serves
  std::string logLevel = "info";                   ///< trace | debug | info | warning | error | off
  std::function<void(std::string_view line)> log;  ///< JSON lines without the newline, from any thread; default stdout
};

class Operator {
 public:
  /// With `gateways` (not started yet), what a gateway acknowledged that is gone holds nothing up. Null: they stay for ever.
  Operator(kube::Client& client, core::LoadSource& load, OperatorOptions options, GatewayPods* gateways = nullptr);
  ~Operator();
  std::expected<void, std::string> start();  ///< returns once the caches have synced
  void stop();                               ///< finishes what is being reconciled; joins
  std::string metrics() const;               ///< Prometheus text

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::op
