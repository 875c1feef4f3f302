// Keeps the queues of functions without a reservation within their bounds over all gateways together: docs/adr/0014.
//
// Expected flow: a request that has to wait is held at once, and the function woken. As long as no gateway holds more than its share of
// the bound, that is all. Else one gateway counts what waits in all of them: the function's owner (owners.h), which is written into the
// FunctionRoute then, so that all know of it. Each tells it what it holds, a pause after it has changed, for all requests that came
// meanwhile at once, and hears how much of that may stay; the rest gets 429. Between the two a request is neither accepted nor
// refused, and is answered when a replica comes free.
// changed() and gateways() from any thread; the rest on a loop of its own.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "gateway/call_home_keys.h"
#include "gateway/function_entry.h"
#include "gateway/owners.h"
#include "gateway/peers.h"
#include "net/client.h"
#include "net/loop.h"

namespace pilotlight::gateway {

class Places final : public QueueKeeper {
 public:
  using Find = std::function<std::shared_ptr<FunctionEntry>(const kube::Key&)>;  ///< null: not known
  Places(Owners& owners, CallHomeKeys& keys, const OwnersOptions& options, Find find);
  ~Places();
  Places(const Places&) = delete;
  void start();
  void stop();

  /// Follow with FunctionEntry::recount() of all.
  void setGateways(int count) { gateways_.store(count, std::memory_order_relaxed); }
  int gateways() const override { return gateways_.load(std::memory_order_relaxed); }
  void changed(const kube::Key& function) override;

 private:
  class Asker;
  void forget(Asker& asker);

  Owners& owners_;
  CallHomeKeys& keys_;
  const OwnersOptions& options_;
  const Find find_;
  std::atomic<int> gateways_{1};
  net::Loop loop_;
  std::unique_ptr<net::ClientPool> pool_;               // of the loop's thread, as the next
  std::map<kube::Key, std::unique_ptr<Asker>> askers_;  // of functions of which something waits here
  std::thread thread_;
};

}  // namespace pilotlight::gateway
