// Leader election on a Lease (coordination.k8s.io/v1), after client-go's leaderelection.
//
// Guarantee: who believes to lead has renewed within `renewDeadline`, which is shorter than the lease's duration, so that
// it stops before another may begin. Clocks of different machines are never compared: how old a lease is counts from when
// this process saw it change. A process that was stopped (SIGSTOP, a frozen VM) can't know in time that it has lost, so
// writes of a leader carry a resourceVersion: what it read before it was stopped is then stale and does no harm. ADR 16 names the
// exception.
//
// LeaseElector's thread-safety: start() and stop() from one thread; leading() from any; callbacks come from its thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kube/client.h"
#include "kube/time.h"

namespace pilotlight::kube {

using SteadyTime = std::chrono::steady_clock::time_point;

struct LeaseOptions {
  Key lease{};                                                   ///< where the Lease is
  std::string identity{};                                        ///< of this process: different for every one, also after a restart
  std::chrono::milliseconds duration{std::chrono::seconds(15)};  ///< whole seconds: the Lease counts in them
  std::chrono::milliseconds renewDeadline{std::chrono::seconds(10)};
  std::chrono::milliseconds retryPeriod{std::chrono::seconds(2)};
};
/// duration > renewDeadline > retryPeriod > 0, whole seconds, and an identity; else what is wrong.
std::optional<std::string> leaseProblem(const LeaseOptions& options);

/// A Lease as it was seen, and since when it is as it is, by this process's steady clock.
struct SeenLease {
  std::string holder;  ///< empty: nobody's
  std::chrono::milliseconds duration{0};
  int transitions = 0;
  std::string acquireTime;  ///< as written, kept by renewals
  std::string resourceVersion;
  SteadyTime since{};
};
/// Reads `object` (empty: there is none). `before` is what was seen last: the same resourceVersion keeps its `since`.
std::optional<SeenLease> seeLease(const Object& object, const std::optional<SeenLease>& before, SteadyTime now);

enum class LeaseStep {
  create,   ///< there is no Lease
  acquire,  ///< nobody's, or its holder has not renewed for its duration
  renew,    ///< ours
  wait,     ///< another's
};
/// Pure.
LeaseStep decideLease(const std::optional<SeenLease>& seen, const std::string& identity, SteadyTime now);

/// The Lease to write for a step other than wait; an update carries the seen resourceVersion. `release`: nobody's again,
/// for a second, so that another need not wait.
Json leaseToWrite(LeaseStep step, const std::optional<SeenLease>& seen, const LeaseOptions& options, SystemTime wall, bool release = false);

struct LeaseCallbacks {
  std::function<void()> won;
  std::function<void()> lost;  ///< also on stop() while leading; the work of a leader must have ended when it returns
};

class LeaseElector {
 public:
  /// `client` must outlive it. Aborts when leaseProblem() finds one.
  LeaseElector(Client& client, LeaseOptions options, LeaseCallbacks callbacks);
  ~LeaseElector();
  void start();
  /// Calls `lost` if leading, gives the Lease up, joins. Waits for a call of the client that is under way.
  void stop();
  /// Renewed within the deadline, as of now. Also false in the moment between a pause and `lost`.
  bool leading() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::kube
