// A limited function's slots, where this gateway gives them out for all: docs/adr/0014.
#include <algorithm>
#include <utility>

#include "gateway/function_entry.h"

namespace pilotlight::gateway {

using std::chrono::milliseconds;

bool FunctionEntry::limited() const {
  std::lock_guard lock(mutex_);
  return limited_;
}

bool FunctionEntry::someUp() const {
  return std::ranges::any_of(upstreams_, [](const auto& each) { return !each->retired && each->warmth == Upstream::Warmth::lit; });
}

bool FunctionEntry::anyUp() const {
  std::lock_guard lock(mutex_);
  return someUp();
}

FunctionEntry::Hold FunctionEntry::hold() const {
  std::lock_guard lock(mutex_);
  return hold_;
}

std::optional<api::RouteOwner> FunctionEntry::owner() const {
  std::lock_guard lock(mutex_);
  return owner_;
}

void FunctionEntry::applyTo(Upstream& upstream) const {
  std::lock_guard lock(mutex_);
  applyBackend(upstream);
}

void FunctionEntry::grant(SlotTaker& taker, Upstream& upstream) {
  taker.ticket = {epoch_, nextNumber_++};
  upstream.book.grant(taker.ticket.number);
  ++upstream.users;
}

bool FunctionEntry::release(Upstream& upstream, const contract::Ticket& ticket, Ended how, core::TimePoint now) {
  bool look = false, wait = false;
  {
    std::lock_guard lock(mutex_);
    --upstream.users;
    if (ticket.epoch == epoch_) {
      if (how == Ended::refused) {
        upstream.fenced = false;
        admission_.remove(upstream);
      }
      if (how == Ended::parked) sayParked(upstream);
      if (upstream.book.end(ticket.number, how != Ended::maybe || upstream.gone)) (void)admission_.release(upstream, now);
      if (how == Ended::maybe) upstream.pause = milliseconds(0);
      look = (how == Ended::maybe || how == Ended::refused) && !upstream.gone;
    }
    eraseIfDone(upstream);
    wait = admission_.queued() > 0;
  }
  if (wait) deliver(now);
  return look;
}

void FunctionEntry::heardOwner(const api::RouteOwner& owner, bool ours) {
  std::lock_guard lock(mutex_);
  if (owner_ && owner.epoch <= owner_->epoch) return;
  owner_ = owner;
  if (!ours) letGo();
  tellAgain();
}

void FunctionEntry::disown() {
  std::lock_guard lock(mutex_);
  letGo();
}

void FunctionEntry::letGo() {
  if (!limited_) return stopCounting();
  if (hold_ == Hold::none) return;
  forgetSlots(steadyNow());
  moveWaiters(steadyNow());
}

void FunctionEntry::forgetSlots(core::TimePoint now) {
  for (const auto& upstream : upstreams_) {
    admission_.occupy(*upstream, upstream->book.clear(), now);
    upstream->fenced = false;
    if (limited_) admission_.remove(*upstream);
  }
  hold_ = Hold::none;
  epoch_ = 0;
  std::erase_if(upstreams_, [](const auto& each) { return each->retired && each->inFlight == 0 && each->users == 0 && !each->asking; });
}

void FunctionEntry::moveWaiters(core::TimePoint now) {
  while (core::Waiter* first = admission_.first()) {
    admission_.leave(*first, now);
    auto* taker = static_cast<SlotTaker*>(first);
    taker->ownerLoop().post([taker] { taker->onMoved(); });
  }
}

/// Of a version that takes no traffic any more only the whole limit is known.
int FunctionEntry::limitOf(const Upstream& upstream) const {
  return std::ranges::find(backends_, upstream.version, &api::RouteBackend::version) != backends_.end() ? upstream.limit
                                                                                                        : admission_.atMost();
}

void FunctionEntry::own(std::int64_t epoch, const std::vector<KnownReplica>& replicas) {
  std::lock_guard lock(mutex_);
  if (!limited_) return;
  const auto now = steadyNow();
  forgetSlots(now);
  hold_ = Hold::owned;
  owned_.store(true, std::memory_order_relaxed);
  epoch_ = epoch;
  nextNumber_ = 1;
  for (const KnownReplica& replica : replicas) {
    if (replica.address.ip.empty()) continue;  // it has never run anything
    const bool known = std::ranges::any_of(
        upstreams_, [&](const auto& each) { return each->uid == replica.uid && each->address.ip == replica.address.ip; });
    if (known) continue;
    upstreams_.push_back(std::make_unique<Upstream>());
    Upstream& added = *upstreams_.back();
    added.uid = replica.uid;
    added.pod = replica.pod;
    added.version = replica.version;
    added.address = replica.address;
    added.retired = true;  // until it is up
    applyBackend(added);
  }
  for (const auto& upstream : upstreams_) {
    upstream->pause = milliseconds(0);
    if (!upstream->gone) admission_.occupy(*upstream, upstream->book.unanswered(limitOf(*upstream)), now);
  }
}

bool FunctionEntry::inQuestion(const Upstream& upstream) const {
  if (upstream.gone) return false;
  if (!limited_) return upstream.barred && !upstream.retired;
  const bool wanted = !upstream.retired && upstream.warmth == Upstream::Warmth::lit;  // one that is parked is asked once it is lit
  return hold_ == Hold::owned && (upstream.book.inDoubt() || (wanted && !upstream.fenced));
}

std::vector<FunctionEntry::Question> FunctionEntry::questions() {
  std::vector<Question> questions;
  std::lock_guard lock(mutex_);
  for (const auto& upstream : upstreams_) {
    if (upstream->asking || !inQuestion(*upstream)) continue;
    upstream->asking = true;
    questions.push_back({.uid = upstream->uid,
                         .address = upstream->address,
                         .lowest = {epoch_, upstream->book.ask()},
                         .first = limited_ && !upstream->fenced,
                         .lift = !limited_});
  }
  return questions;
}

void FunctionEntry::bar(Upstream& upstream) {
  std::lock_guard lock(mutex_);
  if (limited_ || upstream.retired) return;
  upstream.barred = true;
  upstream.pause = milliseconds(0);
  admission_.remove(upstream);
}

Upstream* FunctionEntry::asked(const Question& question) {
  const auto found = std::ranges::find_if(
      upstreams_, [&](const auto& each) { return each->asking && each->uid == question.uid && each->address == question.address; });
  if (found == upstreams_.end()) return nullptr;
  (*found)->asking = false;
  return found->get();
}

milliseconds FunctionEntry::pauseOf(Upstream& upstream, const AskPauses& pauses) {
  if (!inQuestion(upstream)) return milliseconds(0);
  upstream.pause = std::clamp(upstream.pause * 2, pauses.first, pauses.most);
  return upstream.pause;
}

milliseconds FunctionEntry::answered(const Question& question, const core::RunningTickets& running, Says says, const AskPauses& pauses) {
  milliseconds pause{0};
  {
    std::lock_guard lock(mutex_);
    Upstream* upstream = asked(question);
    if (!upstream) return pause;
    if (question.lift) {
      upstream->barred = false;
    } else if (question.lowest.epoch == epoch_ && !upstream->gone) {
      upstream->fenced = says == Says::takes;
      admission_.occupy(*upstream, upstream->book.answer(epoch_, running), steadyNow());
    }
    if (says == Says::parked) sayParked(*upstream);
    if (!upstream->retired) offer(*upstream);
    pause = pauseOf(*upstream, pauses);
    eraseIfDone(*upstream);
  }
  deliver(steadyNow());
  return pause;
}

milliseconds FunctionEntry::unanswered(const Question& question, bool nobodyThere, const AskPauses& pauses) {
  milliseconds pause{0};
  {
    std::lock_guard lock(mutex_);
    Upstream* upstream = asked(question);
    if (!upstream) return pause;
    if (!question.lift && question.lowest.epoch == epoch_ && !upstream->gone) {
      const int more = nobodyThere ? upstream->book.answer(epoch_, {}) : upstream->book.unanswered(limitOf(*upstream));
      admission_.occupy(*upstream, more, steadyNow());
    }
    pause = pauseOf(*upstream, pauses);
    eraseIfDone(*upstream);
  }
  deliver(steadyNow());
  return pause;
}

void FunctionEntry::gone(const std::string& uid) {
  {
    std::lock_guard lock(mutex_);
    for (const auto& upstream : upstreams_) {
      if (upstream->uid != uid) continue;
      admission_.remove(*upstream);
      upstream->retired = upstream->gone = true;
      admission_.occupy(*upstream, upstream->book.answer(epoch_, {}), steadyNow());
    }
    std::erase_if(upstreams_, [](const auto& each) { return each->gone && each->inFlight == 0 && each->users == 0 && !each->asking; });
  }
  deliver(steadyNow());
}

}  // namespace pilotlight::gateway
