// Tells the loads of functions to those who ask for contract::kLoadsPath, as lines of core/load_line.h in an answer that goes on:
// everything at once; then, `period` by `period`, what has changed; at once a function whose waiting requests have grown; and
// a line without loads when there was none for `heartbeat`, so that silence means that nobody is there.
// A listener that is slower gets fewer and newer lines; nothing is kept for it.
// Thread-safety: of the loop's thread, but for demand().
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/load_line.h"
#include "gateway/gateway.h"
#include "gateway/registry.h"
#include "net/server.h"

namespace pilotlight::gateway {

class LoadFeed {
 public:
  LoadFeed(net::Loop& loop, const Registry& registry, std::string gateway, std::string instance, LoadFeedOptions options);
  ~LoadFeed();
  LoadFeed(const LoadFeed&) = delete;

  /// Answers the request. nullptr: at once.
  net::ExchangeHandler* open(net::Exchange& exchange);
  void end();                              ///< every answer is complete; no more begin
  void demand(const kube::Key& function);  ///< any thread; never waits for long

 private:
  class Listener;
  void tick();
  void tellDemanded();
  void forget(Listener& listener);

  net::Loop& loop_;
  const Registry& registry_;
  const std::string gateway_, instance_;
  const LoadFeedOptions options_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  net::Timer timer_;
  bool ended_ = false;
  std::atomic<bool> heard_{false};  // there are listeners
  std::mutex mutex_;
  std::set<kube::Key> demanded_;  // guarded by mutex_
};

}  // namespace pilotlight::gateway
