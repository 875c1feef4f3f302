#include "gateway/function_entry.h"

#include <algorithm>
#include <span>
#include <utility>

#include "gateway/gateway.h"

namespace pilotlight::gateway {

void StatusCounts::add(int status) {
  for (Slot& slot : std::span(slots_).first(slots_.size() - 1)) {
    int known = slot.status.load(std::memory_order_relaxed);
    if (known == 0) slot.status.compare_exchange_strong(known, status, std::memory_order_relaxed);
    if (known != status && known != 0) continue;  // 0: it is ours now
    slot.count.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  slots_.back().count.fetch_add(1, std::memory_order_relaxed);
}

void FunctionCounters::Histogram::observe(std::chrono::nanoseconds value) {
  const double seconds = std::chrono::duration<double>(value).count();
  std::size_t i = 0;
  while (i < kBounds.size() && seconds > kBounds[i]) ++i;
  buckets[i].fetch_add(1, std::memory_order_relaxed);
  micros.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.count() / 1000)), std::memory_order_relaxed);
}

void handOver(const core::Admission::Grant& grant) {
  auto* taker = static_cast<SlotTaker*>(grant.waiter);
  auto* upstream = static_cast<Upstream*>(grant.replica);
  // Always through the loop: the caller may be in the middle of another request's callback.
  taker->ownerLoop().post([taker, upstream] { taker->onGrant(*upstream); });
}

FunctionEntry::~FunctionEntry() {
  pool_.forget(*this);
  pool_.reserve(reserved_, 0, steadyNow());
}

void FunctionEntry::prefetch() const {
  const auto* begin = reinterpret_cast<const char*>(this);
  const auto* end = reinterpret_cast<const char*>(&counters_.byStatus) + 64;
  for (const char* line = begin; line < end; line += 64) __builtin_prefetch(line, 1);
}

Upstream* FunctionEntry::find(const std::string& uid) const {
  const auto found = std::ranges::find_if(upstreams_, [&](const auto& upstream) { return upstream->uid == uid && !upstream->retired; });
  return found == upstreams_.end() ? nullptr : found->get();
}

void FunctionEntry::applyBackend(Upstream& upstream) const {
  for (const api::RouteBackend& backend : backends_) {
    if (backend.version != upstream.version) continue;
    upstream.limit = backend.perReplica;
    upstream.timeout = backend.timeout;
    upstream.protocol = backend.protocol;
  }
}

void FunctionEntry::configure(const api::FunctionRouteSpec& spec) {
  const int before = std::exchange(reserved_, spec.reserved.value_or(0));
  // The pool shrinks before the function leaves it, and grows after it has come back: never more at once than there is.
  if (reserved_ > before) pool_.reserve(before, reserved_, steadyNow());
  bool cameBack = false;
  {
    std::lock_guard lock(mutex_);
    backends_ = spec.backends;
    core::AdmissionSettings settings{.queueRequests = spec.queue.requests, .queueBytes = spec.queue.bytes.value, .versions = {}};
    for (const api::RouteBackend& backend : backends_) settings.versions.push_back({backend.version, backend.weight});
    if (spec.reserved)
      settings.atMost = *spec.reserved;
    else
      settings.shared = &pool_.slots();
    const bool changed = spec.reserved.has_value() != limited_;
    if (changed) {
      stopCounting();
      moveWaiters(steadyNow());
      forgetSlots(steadyNow());  // before the pool counts what runs
      limited_ = !limited_;
    }
    cameBack = admission_.configure(std::move(settings));
    for (const auto& upstream : upstreams_) applyBackend(*upstream);
    for (const auto& upstream : upstreams_) {
      if (!changed) break;
      upstream->barred = false;
      if (!upstream->retired) offer(*upstream);
    }
  }
  if (reserved_ < before) pool_.reserve(before, reserved_, steadyNow());
  if (cameBack) pool_.serve(*this, steadyNow());
  deliver(steadyNow());
}

void FunctionEntry::up(const std::string& uid, const std::string& pod, std::int64_t version, const net::Address& address,
                       const core::ColdStartEnds& ends, bool parked) {
  {
    std::lock_guard lock(mutex_);
    Upstream* known = find(uid);
    if (known && known->address != address) {  // the same pod at another address: what is in flight there ends there
      admission_.remove(*known);
      known->retired = true;
      eraseIfDone(*known);
      known = nullptr;
    }
    if (!known && limited_) {  // what runs in it is counted once
      const auto back =
          std::ranges::find_if(upstreams_, [&](const auto& each) { return each->uid == uid && each->address == address && !each->gone; });
      if (back != upstreams_.end()) (known = back->get())->retired = false;
    }
    if (!known) {
      upstreams_.push_back(std::make_unique<Upstream>());
      known = upstreams_.back().get();
      known->uid = uid;
      known->pod = pod;
      known->address = address;
      known->version = version;
      known->ends = ends;
      applyBackend(*known);
    }
    if (parked && known->warmth == Upstream::Warmth::lighting) return;  // it said so before it was told
    light(*known, !parked);
  }
  deliver(steadyNow());
}

/// If it is lit; a limited function's by its owner, once it has told what runs.
void FunctionEntry::offer(Upstream& upstream) {
  const bool takes = limited_ ? hold_ == Hold::owned && upstream.fenced : !upstream.barred;
  if (takes && upstream.warmth == Upstream::Warmth::lit)
    admission_.add(upstream);
  else
    admission_.remove(upstream);
}

void FunctionEntry::eraseIfDone(Upstream& upstream) {
  if (!upstream.retired || upstream.inFlight > 0 || upstream.users > 0 || upstream.asking) return;
  std::erase_if(upstreams_, [&](const auto& candidate) { return candidate.get() == &upstream; });
}

void FunctionEntry::retire(Upstream& upstream) {
  std::lock_guard lock(mutex_);
  admission_.remove(upstream);
  upstream.retired = true;
}

void FunctionEntry::down(const std::string& uid) {
  std::lock_guard lock(mutex_);
  Upstream* known = find(uid);
  if (!known) return;
  admission_.remove(*known);
  known->retired = true;
  eraseIfDone(*known);
}

void FunctionEntry::downAll() {
  std::lock_guard lock(mutex_);
  for (const auto& upstream : upstreams_) {
    admission_.remove(*upstream);
    upstream->retired = true;
  }
  std::erase_if(upstreams_, [](const auto& upstream) { return upstream->inFlight == 0 && upstream->users == 0 && !upstream->asking; });
}

std::chrono::milliseconds FunctionEntry::suspend(Upstream& upstream, bool unreachable, const ReplicaPauses& pauses) {
  std::lock_guard lock(mutex_);
  admission_.remove(upstream);
  return unreachable ? pauseAfterFailure(upstream, pauses) : pauses.refused;
}

void FunctionEntry::resume(const std::string& uid) {
  {
    std::lock_guard lock(mutex_);
    Upstream* known = find(uid);
    if (!known) return;
    offer(*known);
  }
  deliver(steadyNow());
}

bool FunctionEntry::has(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  return find(uid) != nullptr;
}

std::optional<net::Address> FunctionEntry::addressOf(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  const Upstream* known = find(uid);
  return known ? std::optional(known->address) : std::nullopt;
}

std::optional<core::ColdStartTime> FunctionEntry::raisedAt() const {
  const auto at = raisedAt_.load(std::memory_order_relaxed);
  return at == 0 ? std::nullopt : std::optional(core::ColdStartTime(core::ColdStartTime::duration(at)));
}

FunctionEntry::Taken FunctionEntry::take(SlotTaker& taker, core::TimePoint now, const Upstream* avoid, bool accepted) {
  Taken taken;
  {
    std::lock_guard lock(mutex_);
    const core::Admission::Slot slot = admission_.tryTake(now, avoid);
    taken.upstream = static_cast<Upstream*>(slot.replica);
    if (limited_) {
      if (taken.upstream) grant(taker, *taken.upstream);
      if (hold_ == Hold::none) hold_ = Hold::taking;
      taken.takeOver = hold_ == Hold::taking;
    }
    if (!slot.replica) {
      taken.join = admission_.join(taker, now, accepted, unasked());
      noteQueue();
    }
    taken.queued = admission_.queued();
    taken.poolFull = slot.poolFull;
  }
  if (taken.poolFull && taken.join == core::Admission::Join::queued) {
    counters().poolWaits.fetch_add(1, std::memory_order_relaxed);
    pool_.wait(*this, now);  // may hand the slot over at once, through the taker's loop
  }
  return taken;
}

void FunctionEntry::release(Upstream& upstream, core::TimePoint now) {
  bool othersWait = false, ownWait = false;
  {
    std::lock_guard lock(mutex_);
    othersWait = admission_.release(upstream, now);
    eraseIfDone(upstream);
    ownWait = admission_.queued() > 0;
  }
  if (othersWait) pool_.serve(*this, now);
  if (ownWait) deliver(now);
}

FunctionEntry::Shared FunctionEntry::takeShared(core::TimePoint now) {
  std::lock_guard lock(mutex_);
  const auto grant = admission_.next(now, core::Admission::SharedSlot::given);
  if (grant.waiter) noteQueue();
  return {grant, admission_.queued()};
}

int FunctionEntry::inFlight() const {
  std::lock_guard lock(mutex_);
  return admission_.inFlight();
}

bool FunctionEntry::leave(SlotTaker& taker, core::TimePoint now) {
  std::lock_guard lock(mutex_);
  if (!taker.queued) return false;
  admission_.leave(taker, now);
  noteQueue();
  return true;
}

void FunctionEntry::deliver(core::TimePoint now) {
  for (;;) {
    core::Admission::Grant grant;
    {
      std::lock_guard lock(mutex_);
      grant = admission_.next(now);
      if (grant.waiter) noteQueue();
      if (grant.waiter && limited_) this->grant(static_cast<SlotTaker&>(*grant.waiter), static_cast<Upstream&>(*grant.replica));
    }
    if (grant.poolFull) return pool_.wait(*this, now);
    if (!grant.waiter) return;
    handOver(grant);
  }
}

core::FunctionLoad FunctionEntry::load() const {
  core::FunctionLoad load;
  load.namespace_ = key_.namespace_;
  load.name = key_.name;
  load.requests = static_cast<std::int64_t>(counters_.requests.load(std::memory_order_relaxed));
  std::lock_guard lock(mutex_);
  load.at = steadyNow();  // under the lock: nothing that comes later is counted
  load.inFlight = admission_.inFlight();
  load.queued = admission_.queued();
  load.concurrencyMillis = admission_.concurrencyMillis(load.at);
  load.lastActive = admission_.lastActive(load.at);
  return load;
}

bool FunctionEntry::needsWake() const {
  std::lock_guard lock(mutex_);
  return admission_.queued() > 0 && admission_.offered() == 0 &&
         std::ranges::none_of(upstreams_, [this](const auto& upstream) { return promising(*upstream); });
}

const api::RouteBackend* FunctionEntry::heaviest() const {
  const auto found = std::ranges::max_element(backends_, {}, &api::RouteBackend::weight);
  return found == backends_.end() || found->weight <= 0 ? nullptr : &*found;
}

std::optional<api::RouteBackend> FunctionEntry::wakeTarget() const {
  std::lock_guard lock(mutex_);
  const api::RouteBackend* woken = heaviest();
  return woken ? std::optional(*woken) : std::nullopt;
}

PodNews::Trouble FunctionEntry::trouble() const {
  std::int64_t version = 0;
  {
    std::lock_guard lock(mutex_);
    const api::RouteBackend* woken = heaviest();
    if (!woken || (limited_ ? someUp() : admission_.offered() > 0)) return {};
    version = woken->version;
  }
  return pods_.trouble(version);
}

int FunctionEntry::offered() const {
  std::lock_guard lock(mutex_);
  return admission_.offered();
}

int FunctionEntry::replicas() const {
  std::lock_guard lock(mutex_);
  return admission_.replicas();
}

}  // namespace pilotlight::gateway
