// What the gateways know about a function's load right now. Filled by gateways, read by the autoscaler.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace pilotlight::core {

struct FunctionLoad {
  std::string namespace_, name;
  /// When this was read: averages are exact only between these times. The epoch: just now.
  std::chrono::steady_clock::time_point at{};
  int inFlight = 0;  ///< requests at a replica
  int queued = 0;    ///< requests held
  /// Integral over time of (inFlight + queued), in request-milliseconds since the gateway knows the function. Rises only;
  /// two samples give the exact average between them.
  std::int64_t concurrencyMillis = 0;
  std::int64_t requests = 0;                           ///< accepted so far
  std::chrono::steady_clock::time_point lastActive{};  ///< last instant with inFlight + queued > 0; epoch: never
};

/// Thread-safe.
class LoadSource {
 public:
  virtual ~LoadSource() = default;
  /// Functions with any load since `since`; pass the epoch for all.
  virtual std::vector<FunctionLoad> loads() const = 0;
  /// `listener` is called (from any thread, must not block) when a request had to wait: the function needs replicas now.
  virtual void onDemand(std::function<void(const std::string& namespace_, const std::string& name)> listener) = 0;
  /// False: some gateway is not heard, so there may be more load than loads() tells; never less.
  virtual bool complete() const { return true; }
};

}  // namespace pilotlight::core
