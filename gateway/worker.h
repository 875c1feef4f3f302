// One event loop of the gateway with its listeners, upstream connections and sessions.
// Loop thread only, but for those marked.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gateway/access_log.h"
#include "gateway/gateway.h"
#include "gateway/light_call.h"
#include "gateway/load_feed.h"
#include "gateway/memory_guard.h"
#include "gateway/metrics.h"
#include "gateway/owners.h"
#include "gateway/peer_calls.h"
#include "gateway/registry.h"
#include "gateway/session.h"
#include "gateway/waker.h"
#include "net/client.h"
#include "net/server.h"

namespace pilotlight::gateway {

/// What the workers share.
struct Shared {
  const GatewayOptions& options;
  Registry& registry;
  Waker& waker;
  LogWriter& log;
  MemoryGuard& memory;
  Owners& owners;
  const Peers& peers;
  CallHomeKeys& keys;
  CallHomeCounts& callHome;
  ColdStartHistograms& coldStarts;
  std::function<void(const kube::Key&)> demand;  ///< any thread
  std::function<std::string()> metrics;
  std::string instance;          ///< another one each time that the gateway starts
  const std::string retryAfter;  ///< the field's value
  std::atomic<std::uint64_t> unrouted{0};
  std::atomic<bool> ending{false};
};

class Worker {
 public:
  Worker(Shared& shared, int index);
  ~Worker();

  void listen(net::Fd publicListener, net::Fd internalListener);                       // any thread, once
  void listenTls(net::Fd listener, net::TlsAcceptor& tls);                             // any thread, once
  void publish(std::shared_ptr<const Snapshot> snapshot, std::function<void()> done);  // any thread
  void forget(const net::Address& address);                                            // any thread
  void drain(std::function<void()> done);                                              // any thread
  void spareMemory(bool on);                                                           // any thread
  void demand(const kube::Key& function) { loads_.demand(function); }                  // any thread
  void lightLater(std::shared_ptr<FunctionEntry> entry);                               // any thread: light()
  void stop();                                                                         // any thread; joins

  net::Loop& loop() { return loop_; }
  net::ClientPool& pool() { return *pool_; }
  Shared& shared() { return shared_; }
  LogWriter::Channel& accessLog() { return accessLog_; }
  LoadFeed& loads() { return loads_; }
  PeerCalls& peerCalls() { return *peerCalls_; }
  std::uint64_t nextId() { return ++sequence_; }
  std::uint64_t idPrefix() const { return idPrefix_; }
  /// Lights as many parked replicas as requests wait for.
  void light(const std::shared_ptr<FunctionEntry>& entry);
  /// The same, and raises the Deployment if none can be lit.
  void lightOrWake(const std::shared_ptr<FunctionEntry>& entry);
  void ended(LightCall& call);
  Session& takeSession();
  void giveSession(Session& session);
  /// Its request has left: it lives until it has said so.
  void letGo(std::unique_ptr<TicketCall> call, Ended how);
  void forget(TicketCall& call);
  std::string& scratch() { return scratch_; }
  /// Of the steady clock's `time`. The clocks are compared once a second, which is cheaper than twice a request.
  std::int64_t epochMillis(std::chrono::steady_clock::time_point time);

  net::ExchangeHandler* route(net::Exchange& exchange, bool external);

 private:
  class Front final : public net::Application {
   public:
    Front(Worker& worker, bool external) : worker_(worker), external_(external) {}
    net::ExchangeHandler* onRequest(net::Exchange& exchange) override;

   private:
    Worker& worker_;
    const bool external_;
  };
  void refuseUnrouted(net::Exchange& exchange, const core::RouteMatch& match);
  void refuseForMemory(net::Exchange& exchange);
  void redirectToTls(net::Exchange& exchange);
  void dropSpare();

  Shared& shared_;
  LogWriter::Channel& accessLog_;
  net::Loop loop_;
  LoadFeed loads_;
  Front publicFront_, internalFront_;
  std::unique_ptr<net::Server> publicServer_, internalServer_;
  std::unique_ptr<net::ClientPool> pool_;
  std::unique_ptr<PeerCalls> peerCalls_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<std::unique_ptr<LightCall>> lights_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Session*> spare_;
  std::unordered_map<TicketCall*, std::unique_ptr<TicketCall>> leaving_;
  std::uint64_t sequence_ = 0, idPrefix_ = 0;
  std::string scratch_;
  std::chrono::system_clock::time_point epochWall_{};
  std::chrono::steady_clock::time_point epochSteady_{};
  std::thread thread_;
};

/// The gateway's own endpoints on the internal listener. Returns a handler, or nullptr when it answered at once.
net::ExchangeHandler* answerInternal(Worker& worker, net::Exchange& exchange);
inline constexpr std::string_view kOwnPrefix = "/_pilotlight/";

}  // namespace pilotlight::gateway
