// Which gateway gives out a limited function's slots, and what an owner has to do to be one: docs/adr/0014. Of a function without a
// reservation: which one counts what waits in all gateways (places.h).
//
// Expected flow: a request asks choose(). Elsewhere: it asks there (ticket_call.h). Here: FunctionEntry::take(), and takeOver() when
// that says so; then the API writes this gateway's name into the FunctionRoute, whose owner it is from then on until another one is
// written there, and every replica is told of the new epoch before it gets a request. look() asks replicas what they run: those
// that were not told yet, and those where a request may or may not have ended.
// Thread-safe. Blocking calls of the API are made by threads of its own, replicas are asked on a loop of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/owner.h"
#include "gateway/function_entry.h"
#include "gateway/owners_options.h"
#include "gateway/peers.h"
#include "kube/client.h"
#include "kube/workqueue.h"
#include "net/client.h"
#include "net/loop.h"

namespace pilotlight::gateway {

/// Of a FunctionRoute.
std::optional<api::RouteOwner> ownerIn(const kube::Object& route);
/// A pod in which something may run, or is going to.
bool mayRun(const kube::Object& pod);

class Owners {
 public:
  using Log = std::function<void(std::string_view message, const kube::Key& about, const std::string& error)>;
  using Wake = std::function<void(std::shared_ptr<FunctionEntry>)>;  ///< requests may wait for a replica that was found parked
  Owners(kube::Client& client, const Peers& peers, std::string instance, OwnersOptions options, Wake wake, Log log);
  ~Owners();
  Owners(const Owners&) = delete;
  void start();
  void stop();

  struct Choice {
    core::OwnerChoice owner;
    net::Address address;  ///< of its internal listener; empty: it is this gateway
  };
  Choice choose(const FunctionEntry& entry) const;
  /// Whether it is known not to answer. Asks it, unless that is under way.
  bool silent(const std::string& gateway, const net::Address& address);
  /// It was asked and could not be.
  void unreachable(const std::string& gateway);
  /// Requests wait here for this gateway to become the owner, unless there is one of a later epoch than this.
  void takeOver(std::shared_ptr<FunctionEntry> entry, std::int64_t after);
  void look(std::shared_ptr<FunctionEntry> entry);
  void heard(FunctionEntry& entry, const api::RouteOwner& owner) const;
  /// This gateway ends: if there are others, it gives out nothing any more.
  void resign(const std::vector<std::shared_ptr<FunctionEntry>>& entries);
  bool resigned() const { return resigned_.load(std::memory_order_relaxed); }

  const std::string& self() const { return peers_.self(); }
  const std::string& instance() const { return instance_; }
  std::uint64_t moves() const { return moves_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kThreads = 2;
  class Asking;
  class Ping;
  struct Task {
    std::shared_ptr<FunctionEntry> entry;
    std::int64_t after = 0;
    std::vector<FunctionEntry::Question> questions;  // that wait for the API's word
  };
  void run();
  bool work(const kube::Key& key, Task& task);  // false: try again
  bool lift(const kube::Key& key, Task& task);
  bool giveUp(Task& task);
  enum class Became : std::uint8_t { owner, no, failed };
  Became become(const kube::Key& key, FunctionEntry& entry, std::int64_t after);
  bool begin(const kube::Key& key, FunctionEntry& entry, std::int64_t epoch);
  void beginQueue(FunctionEntry& entry, const std::string& before);
  void add(const kube::Key& key, Task task);
  void ask(std::shared_ptr<FunctionEntry> entry, std::vector<FunctionEntry::Question> questions);  // any thread
  void lookLater(std::shared_ptr<FunctionEntry> entry, std::chrono::milliseconds pause);           // loop's thread, as the next two
  void lookDue();
  void forget(Asking& asking);

  kube::Client& client_;
  const Peers& peers_;
  const std::string instance_;
  const OwnersOptions options_;
  const Wake wake_;
  const Log log_;
  std::atomic<std::uint64_t> moves_{0};
  std::atomic<bool> resigned_{false};
  kube::WorkQueue queue_{{.backoffMax = std::chrono::seconds(1), .now = {}}};
  mutable std::mutex mutex_;
  std::map<kube::Key, Task> tasks_;                       // guarded by mutex_, as the next
  std::map<std::string, Clock::time_point> unreachable_;  // until
  std::map<std::string, Clock::time_point> pinged_;       // since when, as long as there is no answer
  net::Loop loop_;
  net::Timer timer_;  // of the loop's thread, as the next three
  std::unique_ptr<net::ClientPool> pool_;
  std::vector<std::unique_ptr<Asking>> askings_;
  std::vector<std::unique_ptr<Ping>> pings_;
  std::multimap<Clock::time_point, std::shared_ptr<FunctionEntry>> later_;
  std::vector<std::thread> threads_;
};

}  // namespace pilotlight::gateway
