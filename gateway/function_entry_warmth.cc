// Replicas that are parked, and the way to light them.
#include <algorithm>

#include "gateway/function_entry.h"
#include "gateway/gateway.h"

namespace pilotlight::gateway {

std::chrono::milliseconds pauseAfterFailure(Upstream& upstream, const ReplicaPauses& pauses) {
  const int doublings = std::min(upstream.failures++, 20);
  return std::min<std::chrono::milliseconds>(pauses.unreachableMost, pauses.unreachable * (1LL << doublings));
}

void FunctionEntry::light(Upstream& upstream, bool on) {
  upstream.warmth = on ? Upstream::Warmth::lit : Upstream::Warmth::parked;
  upstream.failures = 0;  // it has just said which it is
  offer(upstream);
}

void FunctionEntry::sayParked(Upstream& upstream) {
  if (upstream.warmth == Upstream::Warmth::lit) light(upstream, false);
}

void FunctionEntry::park(Upstream& upstream) {
  std::lock_guard lock(mutex_);
  sayParked(upstream);
}

bool FunctionEntry::takesTraffic(std::int64_t version) const {
  return std::ranges::any_of(backends_, [version](const auto& backend) { return backend.version == version && backend.weight > 0; });
}

bool FunctionEntry::promising(const Upstream& upstream) const {
  return upstream.warmth != Upstream::Warmth::lit && upstream.failures == 0 && !upstream.retired && takesTraffic(upstream.version);
}

bool FunctionEntry::hasRoom() const {
  return std::ranges::any_of(upstreams_, [this](const auto& upstream) {
    return upstream->member && upstream->inFlight < upstream->limit && takesTraffic(upstream->version);
  });
}

std::optional<FunctionEntry::Dark> FunctionEntry::nextToLight() {
  std::lock_guard lock(mutex_);
  int waiting = admission_.queued();
  Upstream* next = nullptr;
  for (const auto& upstream : upstreams_) {
    if (!promising(*upstream)) continue;
    if (upstream->warmth == Upstream::Warmth::lighting)
      waiting -= upstream->limit;
    else if (!next || upstream->uid < next->uid)  // all gateways choose the same
      next = upstream.get();
  }
  if (!next || waiting <= 0 || hasRoom()) return {};  // with room they wait for something else
  next->warmth = Upstream::Warmth::lighting;
  return Dark{next->uid, next->address};
}

void FunctionEntry::lit(const std::string& uid) {
  {
    std::lock_guard lock(mutex_);
    Upstream* known = find(uid);
    if (!known) return;
    light(*known, true);
  }
  deliver(steadyNow());
}

std::optional<std::chrono::milliseconds> FunctionEntry::lightFailed(const std::string& uid, const ReplicaPauses& pauses) {
  std::lock_guard lock(mutex_);
  Upstream* known = find(uid);
  if (!known || known->warmth != Upstream::Warmth::lighting) return {};
  if (admission_.queued() == 0) {
    light(*known, false);
    return {};
  }
  return pauseAfterFailure(*known, pauses);
}

int FunctionEntry::dark() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(
      std::ranges::count_if(upstreams_, [](const auto& upstream) { return upstream->warmth != Upstream::Warmth::lit; }));
}

}  // namespace pilotlight::gateway
