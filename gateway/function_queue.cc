// The queue of a function without a reservation, where other gateways have one as well: docs/adr/0014.
#include <algorithm>
#include <utility>

#include "gateway/function_entry.h"

namespace pilotlight::gateway {

namespace {
constexpr core::Waiting kUnknown{-1, -1};
}  // namespace

/// What may wait here before anybody is asked. As long as nobody counts, and all know the same gateways, their shares are no more
/// than the bound together.
core::Waiting FunctionEntry::unasked() const {
  const int gateways = keeper_ && !limited_ ? keeper_->gateways() : 1;
  if (gateways < 2) return core::kAllMayWait;
  if (owner_ || asked_) return {};
  const core::Waiting bound = admission_.bound();
  return {bound.requests / gateways, bound.bytes / gateways};
}

void FunctionEntry::noteQueue() {
  if (!keeper_ || limited_ || noted_ || (admission_.settled() && admission_.waiting() == told_)) return;
  const bool counted = (owner_ || asked_) && keeper_->gateways() > 1;
  if (!counted && admission_.settled() && admission_.claim().accepted.fitsInto(unasked())) return;
  noted_ = true;
  keeper_->changed(key_);
}

void FunctionEntry::tellAgain() {
  told_ = kUnknown;
  noteQueue();
}

void FunctionEntry::recount() {
  std::lock_guard lock(mutex_);
  noteQueue();
}

core::Claim FunctionEntry::claim() {
  std::lock_guard lock(mutex_);
  noted_ = false;
  asked_ = keeper_ && keeper_->gateways() > 1;
  return admission_.claim();
}

void FunctionEntry::settle(const core::Claim& claim, const core::Waiting& places) {
  using Join = core::Admission::Join;
  std::lock_guard lock(mutex_);
  told_ = places;
  for (;;) {
    const core::Admission::Refused refused = admission_.settle(claim, places, steadyNow());
    if (!refused.waiter) break;
    auto* taker = static_cast<SlotTaker*>(refused.waiter);
    const Limit limit = refused.why == Join::tooManyBytes ? Limit::queueBytes : Limit::queueRequests;
    taker->ownerLoop().post([taker, limit] { taker->onNoPlace(limit); });
  }
  noteQueue();
}

// --- where this gateway counts ---

bool FunctionEntry::enter(PlaceHolder* holder) {
  std::lock_guard lock(mutex_);
  if (holder) queues_.push_back(holder);
  if (limited_ || hold_ != Hold::none) return false;
  hold_ = Hold::taking;
  return true;
}

std::optional<core::Waiting> FunctionEntry::count(PlaceHolder* holder, const std::string& gateway, const core::Claim& claim) {
  std::lock_guard lock(mutex_);
  if (limited_ || hold_ != Hold::owned) return std::nullopt;
  const core::PlaceBook::Holder who = holder ? static_cast<core::PlaceBook::Holder>(holder) : this;
  return book_.ask(who, gateway, claim, admission_.bound(), steadyNow());
}

bool FunctionEntry::leave(PlaceHolder& holder) {
  std::lock_guard lock(mutex_);
  book_.leave(&holder);
  return std::erase(queues_, &holder) > 0;
}

void FunctionEntry::ownQueue(std::set<std::string> all, core::TimePoint until) {
  std::lock_guard lock(mutex_);
  if (limited_) return;
  hold_ = Hold::owned;
  book_.begin(std::move(all), until);
  tellAgain();
}

void FunctionEntry::stopCounting() {
  if (!limited_) hold_ = Hold::none;
  for (PlaceHolder* holder : std::exchange(queues_, {})) holder->ownerLoop().post([holder] { holder->onMoved(); });
  tellAgain();
}

}  // namespace pilotlight::gateway
