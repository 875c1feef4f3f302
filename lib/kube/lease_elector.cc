// Two threads: the renewer talks to the API server, which may keep it waiting; the keeper watches the deadline and calls
// back, so that a hanging call cannot keep a leader that has lost from hearing of it.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "kube/lease.h"

namespace pilotlight::kube {

using Steady = std::chrono::steady_clock;

struct LeaseElector::Impl {
  Impl(Client& withClient, LeaseOptions withOptions, LeaseCallbacks withCallbacks)
      : client(withClient), options(std::move(withOptions)), callbacks(std::move(withCallbacks)) {}

  void renew();
  void keep();
  bool tryOnce();
  bool write(LeaseStep step);
  void giveUp();
  void tell(bool leads) const;
  bool holds(SteadyTime now) const { return renewed && now - *renewed < options.renewDeadline; }  // requires mutex

  Client& client;
  const LeaseOptions options;
  const LeaseCallbacks callbacks;
  std::optional<SeenLease> seen;  // the renewer's only; stop()'s when it has ended

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::optional<SteadyTime> renewed;  // guarded by mutex: when the last renewal was sent; nullopt: not ours
  bool stopping = false;              // guarded by mutex
  std::thread renewer, keeper;        // start() and stop() only
};

LeaseElector::LeaseElector(Client& client, LeaseOptions options, LeaseCallbacks callbacks) {
  if (const auto problem = leaseProblem(options)) {
    std::fprintf(stderr, "lease %s: %s\n", options.lease.toString().c_str(), problem->c_str());
    std::abort();
  }
  impl_ = std::make_unique<Impl>(client, std::move(options), std::move(callbacks));
}

LeaseElector::~LeaseElector() {
  stop();
}

void LeaseElector::start() {
  impl_->keeper = std::thread([impl = impl_.get()] { impl->keep(); });
  impl_->renewer = std::thread([impl = impl_.get()] { impl->renew(); });
}

void LeaseElector::stop() {
  if (!impl_->keeper.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->keeper.join();  // the work ends first
  impl_->renewer.join();
  impl_->giveUp();
}

bool LeaseElector::leading() const {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->stopping && impl_->holds(Steady::now());
}

void LeaseElector::Impl::tell(bool leads) const {
  const auto& callback = leads ? callbacks.won : callbacks.lost;
  if (callback) callback();
}

void LeaseElector::Impl::keep() {
  bool leads = false;
  std::unique_lock lock(mutex);
  while (true) {
    const bool now = !stopping && holds(Steady::now());
    if (now != leads) {
      leads = now;
      lock.unlock();
      tell(leads);
      lock.lock();
    } else if (stopping) {
      return;
    } else if (leads) {
      changed.wait_until(lock, *renewed + options.renewDeadline);
    } else {
      changed.wait(lock);
    }
  }
}

void LeaseElector::Impl::renew() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    lock.unlock();
    const SteadyTime began = Steady::now();
    const bool ours = tryOnce();
    const bool others = !ours && seen && seen->holder != options.identity;
    lock.lock();
    if (ours) renewed = began;  // not later: another may count from the moment that the write was sent
    if (others) renewed.reset();
    changed.notify_all();
    changed.wait_for(lock, options.retryPeriod, [this] { return stopping; });
  }
}

/// True: the lease is ours, as of before the call.
bool LeaseElector::Impl::tryOnce() {
  const auto lease = client.get(resources::leases, options.lease);
  if (!lease && lease.error().code != ErrorCode::notFound) return false;
  const SteadyTime now = Steady::now();
  seen = seeLease(lease ? *lease : Object(), seen, now);
  const LeaseStep step = decideLease(seen, options.identity, now);
  return step != LeaseStep::wait && write(step);
}

bool LeaseElector::Impl::write(LeaseStep step) {
  const Json lease = leaseToWrite(step, seen, options, std::chrono::system_clock::now());
  const auto written = step == LeaseStep::create ? client.create(resources::leases, lease, options.identity)
                                                 : client.update(resources::leases, lease, options.identity);
  if (!written) return false;
  seen = seeLease(*written, seen, Steady::now());
  return true;
}

/// So that the next one need not wait for the lease to run out. Best effort: it would run out anyway.
void LeaseElector::Impl::giveUp() {
  if (!seen || seen->holder != options.identity) return;
  const Json lease = leaseToWrite(LeaseStep::renew, seen, options, std::chrono::system_clock::now(), true);
  [[maybe_unused]] const auto ignored = client.update(resources::leases, lease, options.identity);
}

}  // namespace pilotlight::kube
