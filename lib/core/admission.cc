#include "core/admission.h"

#include <algorithm>

namespace pilotlight::core {

void Admission::configure(AdmissionSettings settings) {
  settings_ = std::move(settings);
  std::vector<Version> versions;
  for (const VersionWeight& weight : settings_.versions) {
    const auto old = std::ranges::find(versions_, weight.version, &Version::number);
    versions.push_back({weight.version, weight.weight, old == versions_.end() ? 0 : old->current});
  }
  versions_ = std::move(versions);
}

void Admission::add(Replica& replica) {
  if (replica.member) return;
  replica.member = true;
  replicas_.push_back(&replica);
}

void Admission::remove(Replica& replica) {
  if (!replica.member) return;
  replica.member = false;
  std::erase(replicas_, &replica);
}

Replica* Admission::leastLoaded(std::int64_t version, const Replica* avoid) {
  Replica* best = nullptr;
  const std::size_t count = replicas_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Replica* replica = replicas_[(rotation_ + i) % count];
    if (replica->version != version || replica->inFlight >= replica->limit || replica == avoid) continue;
    // a/b < c/d without division
    if (!best || static_cast<std::int64_t>(replica->inFlight) * best->limit < static_cast<std::int64_t>(best->inFlight) * replica->limit)
      best = replica;
  }
  return best;
}

Replica* Admission::choose(const Replica* avoid) {
  Replica* chosen = nullptr;
  Version* winner = nullptr;
  std::int64_t total = 0;
  for (Version& version : versions_) {
    if (version.weight <= 0) continue;
    Replica* candidate = leastLoaded(version.number, avoid);
    if (!candidate) continue;
    total += version.weight;
    version.current += version.weight;
    if (!winner || version.current > winner->current) {
      winner = &version;
      chosen = candidate;
    }
  }
  if (!winner) return nullptr;
  winner->current -= total;
  ++rotation_;
  return chosen;
}

void Admission::take(Replica& replica, TimePoint now) {
  meter(now);
  ++replica.inFlight;
  ++inFlight_;
}

Replica* Admission::tryTake(TimePoint now, const Replica* avoid) {
  if (first_) return nullptr;
  Replica* replica = choose(avoid);
  if (!replica && avoid) replica = choose(nullptr);
  if (replica) take(*replica, now);
  return replica;
}

void Admission::release(Replica& replica, TimePoint now) {
  meter(now);
  --replica.inFlight;
  --inFlight_;
}

Admission::Join Admission::join(Waiter& waiter, TimePoint now, bool front) {
  if (!front) {
    if (queued_ >= settings_.queueRequests) return Join::tooManyRequests;
    if (queuedBytes_ + waiter.bytes > settings_.queueBytes) return Join::tooManyBytes;
  }
  meter(now);
  waiter.queued = true;
  waiter.previous = front ? nullptr : last_;
  waiter.next = front ? first_ : nullptr;
  (waiter.previous ? waiter.previous->next : first_) = &waiter;
  (waiter.next ? waiter.next->previous : last_) = &waiter;
  ++queued_;
  queuedBytes_ += waiter.bytes;
  return Join::queued;
}

void Admission::leave(Waiter& waiter, TimePoint now) {
  if (!waiter.queued) return;
  meter(now);
  waiter.queued = false;
  (waiter.previous ? waiter.previous->next : first_) = waiter.next;
  (waiter.next ? waiter.next->previous : last_) = waiter.previous;
  waiter.previous = waiter.next = nullptr;
  --queued_;
  queuedBytes_ -= waiter.bytes;
}

Admission::Grant Admission::next(TimePoint now) {
  if (!first_) return {};
  Replica* replica = choose(nullptr);
  if (!replica) return {};
  Waiter* waiter = first_;
  leave(*waiter, now);
  take(*replica, now);
  return {waiter, replica};
}

int Admission::offered() const {
  return static_cast<int>(std::ranges::count_if(replicas_, [this](const Replica* replica) {
    return std::ranges::any_of(versions_, [&](const Version& version) { return version.number == replica->version && version.weight > 0; });
  }));
}

void Admission::meter(TimePoint now) {
  const int count = inFlight_ + queued_;
  if (count > 0 && now > metered_) {
    concurrencyNanos_ += (now - metered_).count() * count;
    lastActive_ = now;
  }
  metered_ = std::max(metered_, now);
}

std::int64_t Admission::concurrencyMillis(TimePoint now) const {
  const std::int64_t since = now > metered_ ? (now - metered_).count() * (inFlight_ + queued_) : 0;
  return (concurrencyNanos_ + since) / 1'000'000;
}

TimePoint Admission::lastActive(TimePoint now) const {
  return inFlight_ + queued_ > 0 ? now : lastActive_;
}

}  // namespace pilotlight::core
