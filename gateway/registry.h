// What the gateway learns from the API and from shims that call home: routes, and replicas.
//
// Its thread rebuilds the routes' snapshot when something changed, and hands it to the event loops; once every loop has it, the
// FunctionRoutes are acknowledged. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/host_rules.h"
#include "gateway/acknowledger.h"
#include "gateway/registration.h"
#include "gateway/snapshot.h"
#include "kube/client.h"
#include "kube/informer.h"

namespace pilotlight::gateway {

class Registry {
 public:
  struct Hooks {
    /// Gives the snapshot to every loop; returns when all have it. Called from the registry's thread.
    std::function<void(std::shared_ptr<const Snapshot>)> publish;
    /// Closes idle connections to an address, on every loop.
    std::function<void(const net::Address&)> forget;
    /// Requests may wait that need a replica woken or lit.
    std::function<void(std::shared_ptr<FunctionEntry>)> wake;
    /// The API says which gateway gives out the function's slots.
    std::function<void(const std::shared_ptr<FunctionEntry>&, const api::RouteOwner&)> heardOwner;
    /// A limited function has another replica.
    std::function<void(std::shared_ptr<FunctionEntry>)> look;
    std::function<void(std::string_view message, const kube::Key& about, const std::string& error)> log;
  };
  /// Of replicas that call home before their pods are known.
  struct PendingBounds {
    std::size_t most = 4096;
    std::chrono::milliseconds time{std::chrono::seconds(10)};
  };
  /// `namespace_` empty: of all namespaces.
  Registry(kube::Client& client, const std::string& namespace_, Pool& pool, QueueKeeper& queues, std::string gatewayName,
           core::HostRules hosts, PendingBounds pending, Hooks hooks);
  ~Registry();

  /// True once the loops have every route that the API held. False: not within the time; it goes on trying.
  bool start(std::chrono::milliseconds syncTimeout);
  void stop();

  enum class Registered { taken, kept, foreign, contradicts, full };
  /// A shim says that it listens. `kept`: the pod is not known yet; used as soon as it is. `foreign`: it is not that function's.
  Registered registerShim(const Registration& registration);

  /// Offers a suspended replica again after `delay`.
  void resumeLater(std::shared_ptr<FunctionEntry> entry, const std::string& uid, std::chrono::milliseconds delay);

  std::vector<std::shared_ptr<FunctionEntry>> entries() const;
  std::shared_ptr<FunctionEntry> find(const kube::Key& function) const;  ///< null: not known
  std::int64_t watchRestarts() const { return routes_.restarts() + pods_.restarts(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct RouteState {
    std::shared_ptr<const api::FunctionRoute> route;
    bool acknowledged = false;  // or about to be
  };
  struct KnownPod {
    kube::Object pod;
    core::ColdStartEnds seen;
  };
  struct Pending {
    Registration registration;
    Clock::time_point came, until;
  };
  struct Resume {
    std::shared_ptr<FunctionEntry> entry;
    std::string uid;
  };

  void run();
  void onRoute(const kube::Object& before, const kube::Object& after);
  void onPod(const kube::Object& before, const kube::Object& after);
  void rebuild();
  std::shared_ptr<FunctionEntry> entryOf(const kube::Key& key);  // requires mutex_
  void dropEntryIfUnused(const kube::Key& key);                  // requires mutex_
  void onPodGone(const kube::Object& pod, bool deleted);
  void markUp(const KnownPod& known, const net::Address& address, const Pending* told);
  std::vector<Resume> dueResumes(Clock::time_point now);  // requires mutex_

  Pool& pool_;
  QueueKeeper& queues_;
  const core::HostRules hosts_;
  const PendingBounds pendingBounds_;
  const Hooks hooks_;
  Acknowledger acknowledger_;
  kube::Informer routes_, pods_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<kube::Key, std::shared_ptr<FunctionEntry>> entries_;  // guarded by mutex_, as all below
  std::map<kube::Key, std::weak_ptr<FunctionEntry>> left_;       // without route and replicas, but requests may still wait in them
  std::map<kube::Key, RouteState> routeStates_;
  std::map<std::string, KnownPod> podsByUid_;
  std::map<std::string, Pending> pending_;  // by uid
  std::multimap<Clock::time_point, Resume> resumes_;
  bool dirty_ = false, building_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace pilotlight::gateway
