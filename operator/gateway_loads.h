// The load that all gateways tell together: the operator listens to each of them for as long as its pod is there.
//
// A gateway that may get requests and is not heard makes complete() false: nothing is scaled down until it is heard again, is
// not ready, or is gone. What the lines mean is core/load_sums.h's matter; here are connections and time only.
// Thread-safety: start(), stop() from one thread; the rest from any. The pods are stopped before this goes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/load.h"
#include "core/load_sums.h"
#include "net/client.h"
#include "net/loop.h"
#include "operator/gateway_pods.h"
#include "operator/log.h"

namespace pilotlight::op {

struct GatewayLoadsOptions {
  std::uint16_t port = 8081;  ///< of the gateways' internal listeners
  std::chrono::milliseconds connectTimeout{std::chrono::seconds(1)};
  std::chrono::milliseconds silence{std::chrono::seconds(3)};  ///< without a line: not heard; several times the gateways' heartbeat
  std::chrono::milliseconds retryMin{100}, retryMax{std::chrono::seconds(2)};
  std::size_t lineBytes = 1 << 20;                           ///< the longest line
  std::chrono::milliseconds keep{std::chrono::minutes(10)};  ///< idle functions that no gateway knows any more
};

class GatewayLoads final : public core::LoadSource {
 public:
  GatewayLoads(GatewayPods& pods, const Log& log, GatewayLoadsOptions options);
  ~GatewayLoads() override;
  GatewayLoads(const GatewayLoads&) = delete;

  void start();
  void stop();
  std::string metrics() const;  ///< Prometheus text

  std::vector<core::FunctionLoad> loads() const override;
  void onDemand(std::function<void(const std::string& namespace_, const std::string& name)> listener) override;
  bool complete() const override;

 private:
  class Stream;
  void onPod(const GatewayPod& pod);
  bool told(const std::string& gateway, std::string_view line);
  void lost(const std::string& gateway, std::string_view why);
  void expire();

  const Log& log_;
  const GatewayLoadsOptions options_;
  net::Loop loop_;
  net::Timer expire_;  // of the loop's thread, as the next two
  std::unique_ptr<net::ClientPool> pool_;
  std::map<std::string, std::unique_ptr<Stream>> streams_;
  mutable std::mutex mutex_;
  core::LoadSums sums_;     // guarded by mutex_, as the next two
  std::uint64_t lost_ = 0;  // streams
  std::vector<std::function<void(const std::string&, const std::string&)>> listeners_;
  std::thread thread_;
};

}  // namespace pilotlight::op
