// Requests of limited functions: their slots come from the function's owner, which may be another gateway.
#include "gateway/session.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {
constexpr int kAsksAtOnce = 4;  // then there is a pause before each
}

/// False: this gateway is the owner, or about to be.
bool Session::askOwner() {
  ticket = {};
  if (route_->closed)
    return reject(Limit::reserved, 429, "reserved", "spec.concurrency.reserved is 0: the function takes no requests"), true;
  if (!entry_->limited()) return false;  // not any more
  const Owners::Choice choice = worker_.shared().owners.choose(*entry_);
  takeOverAfter_ = choice.owner.epoch;
  const bool here = choice.address.ip.empty();
  if (here && !worker_.shared().owners.resigned()) return false;
  if (++asks_ > kAsksAtOnce || here) {  // this gateway ends, and no other can be asked
    exchange_->pauseBody();
    return backOff(asks_), true;
  }
  exchange_->pauseBody();
  setDeadline(holdUntil(worker_.loop().now()));
  if (!entry_->anyUp()) coldStart_ = true;
  entry_->counters().handed.fetch_add(1, std::memory_order_relaxed);
  ticketCall_ = std::make_unique<TicketCall>(worker_, sharedEntry(), choice, TicketCall::Request{bytes, attempts_ > 0 || accepted_}, *this);
  return true;
}

void Session::onTicket(Upstream& upstream, const contract::Ticket& given) {
  ticket = given;
  asks_ = 0;
  dispatch(upstream);
}

void Session::onNoTicket(Limit limit) {
  if (ticketCall_) worker_.letGo(std::move(ticketCall_), Ended::certainly);
  if (limit == Limit::queueBytes)
    return reject(limit, 429, "queue.bytes", "the requests that wait hold as many bytes as spec.concurrency.queue.bytes allows");
  if (route_->closed) return reject(Limit::reserved, 429, "reserved", "spec.concurrency.reserved is 0: the function takes no requests");
  reject(limit, 429, "queue.requests", "as many requests wait as spec.concurrency.queue.requests allows");
}

void Session::onTicketLost(bool waited) {
  worker_.loop().destroyLater(std::move(ticketCall_));
  accepted_ = accepted_ || waited;
  acquire(nullptr);
}

/// The handler never saw the request: it waits for another slot, before those that came later.
void Session::ticketRefused(Ended how) {
  const bool pause = how == Ended::certainly && attempts_ >= kAsksAtOnce;  // it would have another one at once
  if (!ticketCall_ || !replayable() || pause) {
    releaseSlot(how);
    return again(nullptr);
  }
  entry_->counters().retries.fetch_add(1, std::memory_order_relaxed);
  upstream_ = nullptr;
  state_ = State::held;
  exchange_->pauseBody();
  setDeadline(holdUntil(worker_.loop().now()));
  ticketCall_->again(how);
}

bool Session::leaveQueue() {
  if (ticketCall_) return worker_.letGo(std::move(ticketCall_), Ended::certainly), true;  // a grant on its way is not used
  return entry_->leave(*this, worker_.loop().now());
}

void Session::releaseTicket(Upstream& upstream, Ended how) {
  if (ticketCall_) return worker_.letGo(std::move(ticketCall_), how);
  if (entry_->release(upstream, ticket, how, worker_.loop().now())) worker_.shared().owners.look(sharedEntry());
}

}  // namespace pilotlight::gateway
