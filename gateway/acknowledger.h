// Writes into the FunctionRoutes' status which generation this gateway serves. A route's newest generation counts; what cannot be
// written is tried again. Many routes at once are written in parallel, and nobody waits for it.
// Thread-safety: start(), stop() from one thread; served() from any.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kube/client.h"
#include "kube/workqueue.h"

namespace pilotlight::gateway {

struct AcknowledgerOptions {
  int threads = 4;  ///< writes at once
  std::chrono::milliseconds retry{std::chrono::seconds(1)};
};

class Acknowledger {
 public:
  using Log = std::function<void(std::string_view message, const kube::Key& about, const std::string& error)>;
  Acknowledger(kube::Client& client, std::string gatewayName, AcknowledgerOptions options, Log log);
  ~Acknowledger();
  void start();
  void stop();
  /// Every event loop has this generation of the route.
  void served(const kube::Key& route, std::int64_t generation);

 private:
  void run();
  bool write(const kube::Key& route, std::int64_t generation);  // false: try again

  kube::Client& client_;
  const std::string gatewayName_;
  const AcknowledgerOptions options_;
  const Log log_;
  kube::WorkQueue queue_;
  std::mutex mutex_;
  std::map<kube::Key, std::int64_t> generations_;  // to be written; guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace pilotlight::gateway
