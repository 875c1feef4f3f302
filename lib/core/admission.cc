#include "core/admission.h"

#include <algorithm>
#include <utility>

namespace pilotlight::core {

bool Admission::configure(AdmissionSettings settings) {
  SharedSlots* before = std::exchange(settings_, std::move(settings)).shared;
  Versions versions;
  for (const VersionWeight& weight : settings_.versions) {
    const auto old = std::ranges::find(versions_, weight.version, &Version::number);
    versions.push_back(old == versions_.end() ? Version{.number = weight.version} : std::move(*old));
    versions.back().weight = weight.weight;
  }
  versions_ = std::move(versions);
  regroup();
  if (before == settings_.shared) return false;
  if (settings_.shared) settings_.shared->charge(inFlight_);
  return before && before->release(inFlight_);
}

void Admission::regroup() {
  for (Version& version : versions_) {
    version.replicas.clear();
    for (Replica* replica : replicas_)
      if (replica->version == version.number) version.replicas.push_back(replica);
    if (version.rotation >= version.replicas.size()) version.rotation = 0;
  }
}

void Admission::add(Replica& replica) {
  if (replica.member) return;
  replica.member = true;
  replicas_.push_back(&replica);
  regroup();
}

void Admission::remove(Replica& replica) {
  if (!replica.member) return;
  replica.member = false;
  std::erase(replicas_, &replica);
  regroup();
}

Replica* Admission::leastLoaded(const Version& version, const Replica* avoid) {
  Replica* best = nullptr;
  const std::size_t count = version.replicas.size();
  std::size_t at = version.rotation;
  for (std::size_t i = 0; i < count; ++i, at = at + 1 == count ? 0 : at + 1) {
    Replica* replica = version.replicas[at];
    if (replica->inFlight >= replica->limit || replica == avoid) continue;
    if (replica->inFlight == 0) return replica;  // none is less loaded
    // a/b < c/d without division
    if (!best || static_cast<std::int64_t>(replica->inFlight) * best->limit < static_cast<std::int64_t>(best->inFlight) * replica->limit)
      best = replica;
  }
  return best;
}

/// The version whose turn it is among those with a free slot, and its candidate. Nothing is taken yet.
Admission::Version* Admission::choose(const Replica* avoid) {
  Version* winner = nullptr;
  for (Version& version : versions_) {
    version.candidate = version.weight > 0 ? leastLoaded(version, avoid) : nullptr;
    if (version.candidate && (!winner || version.current + version.weight > winner->current + winner->weight)) winner = &version;
  }
  return winner;
}

Replica* Admission::take(Version& winner, TimePoint now) {
  meter(now);
  if (versions_.size() > 1) {  // a version alone always wins back what it pays
    for (Version& version : versions_) {
      if (!version.candidate) continue;
      version.current += version.weight;
      winner.current -= version.weight;
    }
  }
  if (++winner.rotation == winner.replicas.size()) winner.rotation = 0;
  ++winner.candidate->inFlight;
  ++inFlight_;
  return winner.candidate;
}

Admission::Slot Admission::tryTake(TimePoint now, const Replica* avoid) {
  if (first_ || inFlight_ >= settings_.atMost) return {};
  Version* winner = choose(avoid);
  if (!winner && avoid) winner = choose(nullptr);
  if (!winner) return {};
  if (settings_.shared && !settings_.shared->tryTake()) return {.poolFull = true};
  return {.replica = take(*winner, now)};
}

bool Admission::release(Replica& replica, TimePoint now) {
  meter(now);
  --replica.inFlight;
  --inFlight_;
  return settings_.shared && settings_.shared->release();
}

void Admission::occupy(Replica& replica, int more, TimePoint now) {
  meter(now);
  replica.inFlight += more;
  inFlight_ += more;
}

Admission::Join Admission::join(Waiter& waiter, TimePoint now, bool front, const Waiting& unasked) {
  if (!front) {
    if (settings_.atMost == 0) return Join::tooManyRequests;
    if (queued_ >= settings_.queueRequests) return Join::tooManyRequests;
    if (queuedBytes_ + waiter.bytes > settings_.queueBytes) return Join::tooManyBytes;
  }
  meter(now);
  waiter.queued = true;
  waiter.number = front ? 0 : ++arrivals_;
  if (!front && !unsettled_ && fits(waiter, unasked) == Join::queued) settledTo_ = waiter.number;
  if (accepted(waiter))
    accepted_ = accepted_ + Waiting{1, waiter.bytes};
  else if (!unsettled_)
    unsettled_ = &waiter;
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
  if (accepted(waiter))
    accepted_ = accepted_ - Waiting{1, waiter.bytes};
  else if (unsettled_ == &waiter)
    unsettled_ = waiter.next;
  (waiter.previous ? waiter.previous->next : first_) = waiter.next;
  (waiter.next ? waiter.next->previous : last_) = waiter.previous;
  waiter.previous = waiter.next = nullptr;
  --queued_;
  queuedBytes_ -= waiter.bytes;
}

Admission::Join Admission::fits(const Waiter& waiter, const Waiting& places) const {
  if (accepted_.requests >= places.requests) return Join::tooManyRequests;
  return waiter.bytes > places.bytes - accepted_.bytes ? Join::tooManyBytes : Join::queued;
}

Admission::Refused Admission::settle(const Claim& claim, const Waiting& places, TimePoint now) {
  while (unsettled_ && unsettled_->number <= claim.last) {
    Waiter& waiter = *unsettled_;
    const Join why = fits(waiter, places);
    if (why != Join::queued) return leave(waiter, now), Refused{&waiter, why};
    settledTo_ = waiter.number;
    accepted_ = accepted_ + Waiting{1, waiter.bytes};
    unsettled_ = waiter.next;
  }
  return {};
}

Admission::Grant Admission::next(TimePoint now, SharedSlot slot) {
  if (!first_ || inFlight_ >= settings_.atMost) return {};
  if (slot == SharedSlot::given && !settings_.shared) return {};
  Version* winner = choose(nullptr);
  if (!winner) return {};
  if (slot == SharedSlot::take && settings_.shared && !settings_.shared->tryTake()) return {.poolFull = true};
  Waiter* waiter = first_;
  leave(*waiter, now);
  return {.waiter = waiter, .replica = take(*winner, now)};
}

int Admission::offered() const {
  int count = 0;
  for (const Version& version : versions_)
    if (version.weight > 0) count += static_cast<int>(version.replicas.size());
  return count;
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
