// What others ask the operator: /metrics, /healthz, /readyz.
// Thread-safety: start(), stop() from one thread. The hooks are called from the listener's.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "net/socket.h"

namespace pilotlight::op {

struct EndpointHooks {
  std::function<std::string()> metrics;  ///< Prometheus text
  std::function<bool()> ready;
};

class Endpoints {
 public:
  explicit Endpoints(EndpointHooks hooks);
  ~Endpoints();
  std::expected<net::Address, std::string> start(const net::Address& listen);  ///< where it listens
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::op
