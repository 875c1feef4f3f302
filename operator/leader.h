// Everything that an operator does while it leads on a cluster: gateways' pods and loads, and the operator itself.
// Thread-safety: start() and stop() from one thread; started() and metrics() from any.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <mutex>
#include <string>

#include "kube/client.h"
#include "operator/endpoints.h"
#include "operator/gateway_loads.h"
#include "operator/gateway_pods.h"
#include "operator/log.h"
#include "operator/operator.h"

namespace pilotlight::op {

struct LeaderOptions {
  /// `gateways` empty: the cluster IP of `service`, with loads.port.
  OperatorOptions operator_;
  GatewayPodsOptions pods;
  GatewayLoadsOptions loads;
  std::string service = "pilotlight-gateway-internal";  ///< in the pods' namespace
  std::string keyFolder{};                              ///< callhome/key_files.h; empty: shims sign nothing
};

/// "10.1.2.3:8081" of a Service; the error says what it lacks. Pure.
std::expected<std::string, std::string> callHomeAddress(const kube::Object& service, std::uint16_t port);

class Leader {
 public:
  Leader(kube::Client& client, const Log& log, LeaderOptions options);
  ~Leader();
  std::expected<void, std::string> start();
  void stop();
  bool started() const { return started_; }
  std::string metrics() const;  ///< Prometheus text; "" while it does not lead

 private:
  std::expected<void, std::string> findGateways();
  std::expected<void, std::string> readKey();

  kube::Client& client_;
  const Log& log_;
  LeaderOptions options_;
  std::atomic<bool> started_{false};
  mutable std::mutex mutex_;  // metrics() against start() and stop()
  // In this order; guarded by mutex_ against metrics().
  std::unique_ptr<GatewayPods> pods_;
  std::unique_ptr<GatewayLoads> loads_;
  std::unique_ptr<Operator> reconciling_;
};

}  // namespace pilotlight::op
