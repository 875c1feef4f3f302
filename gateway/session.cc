#include "gateway/session.h"

#include <algorithm>
#include <bit>

#include "api/shim_contract.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {

constexpr std::size_t kReplayKept = 4 * 1024;
constexpr std::chrono::milliseconds kTimeoutSlack{3};  // the shim tells the timeout itself; this is the backstop

bool isIdempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS" || method == "TRACE";
}

/// Bytes that holding a request costs: its head, and what its connection has buffered of the body at most.
std::int64_t heldBytes(const net::RequestHead& head) {
  const std::uint64_t room = head.major == 2                     ? net::kHttp2StreamWindow
                             : net::Loop::kBlockSize > head.size ? net::Loop::kBlockSize - head.size
                                                                 : 0;
  const std::uint64_t body = head.body == net::BodyKind::none ? 0 : head.body == net::BodyKind::length ? std::min(head.length, room) : room;
  return static_cast<std::int64_t>(head.size + body);
}

}  // namespace

Session::Session(Worker& worker) : worker_(worker), timer_([this] { onDeadline(); }) {}

net::Loop& Session::ownerLoop() {
  return worker_.loop();
}

net::ExchangeHandler* Session::begin(net::Exchange& exchange, std::shared_ptr<const Snapshot> snapshot, const core::RouteMatch& match) {
  snapshot_ = std::move(snapshot);
  route_ = &snapshot_->routes[match.route];
  exchange_ = &exchange;
  entry_ = route_->entry.get();
  match_ = match;
  bodyEnded_ = replayLost_ = coldStart_ = exhausted_ = accepted_ = handlerMayRun_ = false;
  attempts_ = asks_ = resends_ = status_ = 0;
  limited_ = route_->limited;
  takeOverAfter_ = 0;
  ticket = {};
  version_ = 0;
  arrived_ = worker_.loop().now();
  dispatched_ = firstByte_ = {};
  phases_.reset();
  bytes = heldBytes(exchange.head());
  makeRequestId();
  entry_->counters().requests.fetch_add(1, std::memory_order_relaxed);
  if (!tooLarge()) acquire(nullptr);
  return this;
}

void Session::acquire(const Upstream* avoid) {
  const auto now = worker_.loop().now();
  state_ = State::held;
  if (limited_ && askOwner()) return;
  const auto taken = entry_->take(*this, now, avoid, attempts_ > 0 || accepted_);
  if (taken.upstream) return dispatch(*taken.upstream);
  poolFull_ = taken.poolFull;
  if (taken.join == core::Admission::Join::tooManyRequests) return onNoTicket(Limit::queueRequests);
  if (taken.join == core::Admission::Join::tooManyBytes) return onNoTicket(Limit::queueBytes);
  if (taken.takeOver) worker_.shared().owners.takeOver(sharedEntry(), takeOverAfter_);
  accepted_ = true;
  exchange_->pauseBody();
  setDeadline(holdUntil(now));
  if (!poolFull_) worker_.light(route_->entry);
  if (limited_ ? !entry_->anyUp() : entry_->offered() == 0) {
    coldStart_ = true;
    if (entry_->needsWake()) worker_.shared().waker.wake(sharedEntry());
  }
  // Told as the queue doubles, so that a burst is seen at once and a long queue is not told for each request.
  if (std::has_single_bit(static_cast<unsigned>(taken.queued))) worker_.shared().demand(entry_->key());
}

void Session::onGrant(Upstream& upstream) {
  if (state_ == State::held) return dispatch(upstream);
  // The client left, or it was answered by its deadline, while the grant was on its way.
  upstream_ = &upstream;
  releaseSlot(Ended::certainly);
  if (state_ == State::abandoned) finish();
}

void Session::onMoved() {
  limited_ = true;  // maybe only since this request came
  if (state_ == State::held) return acquire(nullptr);
  if (state_ == State::abandoned) finish();
}

void Session::onNoPlace(Limit limit) {
  if (state_ == State::held) return onNoTicket(limit);
  if (state_ == State::abandoned) finish();
}

void Session::dispatch(Upstream& upstream) {
  const auto now = worker_.loop().now();
  upstream_ = &upstream;
  version_ = upstream.version;
  ++attempts_;
  state_ = State::sent;
  dispatched_ = now;
  const std::chrono::milliseconds timeout = upstream.timeout.load(std::memory_order_relaxed);
  setDeadline(now + timeout + kTimeoutSlack);
  Fields fields;
  buildRequest(fields, now + timeout);
  const net::RequestHead& head = exchange_->head();
  scratch_.assign(match_.path);
  if (!head.query.empty() || head.target.ends_with('?')) scratch_.append("?").append(head.query);
  const bool fresh = attempts_ > 1 && !exhausted_;  // an idle one may be what is waited for
  net::ClientPool& pool = worker_.pool();
  const bool http2 = upstream.protocol.load(std::memory_order_relaxed) == api::Protocol::h2c;
  call_ = pool.call(pool.peer(upstream.address, http2 ? net::Protocol::h2c : net::Protocol::http1),
                    {head.method, scratch_, fields, head.body, head.length, head.upgrade}, *this, fresh);
  exchange_->sendContinue();
  if (!replay_.empty()) call_->write(replay_);
  if (bodyEnded_ && head.body != net::BodyKind::none) finishCall();
  exchange_->resumeBody();
}

// --- the client's side ---

void Session::onBody(net::Exchange& exchange, std::string_view part) {
  if (state_ == State::tunnelling) {
    deadline_ = worker_.loop().now() + route_->idleTimeout;
  } else if (exchange.bytesReceived() > static_cast<std::uint64_t>(route_->limits.body.value)) {
    if (exchange.head().major == 1) exchange.closeAfter();  // rather than read the rest
    cancelCall();
    releaseSlot(Ended::maybe);
    if (state_ == State::sent)
      return fail(413, "ContentTooLarge", "http.limits.body", "the request's body is larger than the function takes");
    state_ = State::answered;
    return exchange.abort();
  }
  if (state_ == State::sent && !replayLost_) {
    if (replay_.size() + part.size() <= worker_.shared().options.replayBytes)
      replay_.append(part);
    else
      replayLost_ = true;
  }
  if (call_ && !call_->write(part)) exchange.pauseBody();
}

void Session::onBodyEnd(net::Exchange& exchange) {
  bodyEnded_ = true;
  if (call_ && (exchange.head().body != net::BodyKind::none || state_ == State::tunnelling)) finishCall();
}

void Session::onWritable(net::Exchange&) {
  if (call_) call_->resumeBody();
}

void Session::onEnd(net::Exchange&, bool complete) {
  if (!complete && state_ != State::answered) entry_->counters().clientGone.fetch_add(1, std::memory_order_relaxed);
  record(complete);
  cancelCall();
  exchange_ = nullptr;
  if (state_ == State::held && !leaveQueue()) {
    state_ = State::abandoned;  // onGrant() gives the slot back and ends this
    return;
  }
  releaseSlot(Ended::maybe);
  finish();
}

// --- the replica's side ---

void Session::cancelCall() {
  if (call_) call_->cancel();
  call_ = nullptr;
}

void Session::onInterim(const net::ResponseHead& head) {
  Fields fields;
  buildResponse(head, fields);
  exchange_->sendInterim(head.status, fields);
}

void Session::onHead(const net::ResponseHead& head) {
  if (head.status == 503) {
    if (const auto refused = head.headers.get(contract::kHeaderRefused)) {
      // The handler never saw it: safe to send elsewhere.
      cancelCall();
      if (ticket) return ticketRefused(*refused == "fenced" ? Ended::certainly : *refused == "parked" ? Ended::parked : Ended::refused);
      if (*refused == "draining") {
        entry_->retire(*upstream_);
      } else if (*refused == "parked") {
        entry_->park(*upstream_);
      } else if (*refused == "ticket") {
        entry_->bar(*upstream_);
        worker_.shared().owners.look(sharedEntry());
      } else if (*refused == "starting") {
        worker_.shared().registry.resumeLater(sharedEntry(), upstream_->uid,
                                              entry_->suspend(*upstream_, false, worker_.shared().options.pauses));
      }
      return again(upstream_);
    }
  }
  if (ticket && head.headers.get(contract::kHeaderShimError) == "timeout") handlerMayRun_ = true;
  state_ = State::answering;
  status_ = head.status;
  firstByte_ = worker_.loop().now();
  if (coldStart_) tellColdStart();
  forgetReplay();
  Fields fields;
  buildResponse(head, fields);
  if (head.body == net::BodyKind::tunnel) {
    state_ = State::tunnelling;
    setDeadline(firstByte_ + route_->idleTimeout);
    return exchange_->sendHead(head.status, head.reason, fields, {net::BodyKind::tunnel, 0});
  }
  net::ResponseBody body{head.body == net::BodyKind::untilClose ? net::BodyKind::chunked : head.body, head.length};
  if (head.body == net::BodyKind::none && head.headers.get("content-length") && head.status != 204 && head.status >= 200)
    body = {net::BodyKind::length, head.length};
  exchange_->sendHead(head.status, head.reason, fields, body);
}

void Session::onBody(std::string_view part) {
  if (state_ == State::tunnelling) deadline_ = worker_.loop().now() + route_->idleTimeout;
  if (!exchange_->write(part) && call_) call_->pauseBody();
}

void Session::onPeerEnd() {
  exchange_->finish();
}

void Session::onEnd(std::span<const net::Header> trailers) {
  call_ = nullptr;
  state_ = State::answered;
  releaseSlot(handlerMayRun_ ? Ended::maybe : Ended::certainly);
  setDeadline(Clock::time_point::max());
  exchange_->finish(trailers);
}

void Session::onWritable() {
  if (exchange_) exchange_->resumeBody();
}

bool Session::replayable() const {
  return !replayLost_;
}

/// After a failure before which the replica got the request.
bool Session::mayResend(net::ClientFailure failure) const {
  if (failure == net::ClientFailure::protocol || resends_ >= worker_.shared().options.resends) return false;
  return route_->retry == api::Retry::idempotent && isIdempotent(exchange_->head().method);
}

void Session::onFailure(net::ClientFailure failure) {
  const bool nothingSent = call_ && call_->bytesWritten() == 0;
  call_ = nullptr;
  entry_->counters().upstreamFailures.fetch_add(1, std::memory_order_relaxed);
  if (state_ == State::answering || state_ == State::tunnelling) {
    state_ = State::answered;
    releaseSlot(Ended::maybe);
    return exchange_->abort();  // the client must see that the answer is not whole
  }
  const bool noConnection = failure == net::ClientFailure::connect || failure == net::ClientFailure::refused;
  if (noConnection && !ticket)
    worker_.shared().registry.resumeLater(sharedEntry(), upstream_->uid,
                                          entry_->suspend(*upstream_, true, worker_.shared().options.pauses));
  exhausted_ = failure == net::ClientFailure::exhausted;  // no fault of the replica's: it stays, and is tried again
  const bool unreached = noConnection || exhausted_ || (nothingSent && replayable());
  if (unreached && ticket) return ticketRefused(noConnection ? Ended::refused : Ended::certainly);
  if (unreached) return again(exhausted_ ? nullptr : upstream_);
  if (replayable() && mayResend(failure)) {
    ++resends_;
    return again(upstream_);
  }
  releaseSlot(Ended::maybe);
  fail(502, "BadGateway", "",
       "the replica closed the connection before answering (" + std::string(net::toString(failure)) + "); the request may have run");
}

void Session::again(const Upstream* avoid) {
  entry_->counters().retries.fetch_add(1, std::memory_order_relaxed);
  releaseSlot(Ended::maybe);
  exchange_->pauseBody();
  if (!replayable())
    return fail(503, "ServiceUnavailable", "",
                "the replica refused the request after more of its body was sent than is kept for another attempt");
  if (attempts_ < 3) return acquire(avoid);
  backOff(attempts_ - 3);
}

void Session::backOff(int times) {
  state_ = State::backingOff;
  const auto delay = std::min(worker_.shared().options.retryMaxPause, std::chrono::milliseconds(1LL << std::min(times, 20)));
  setDeadline(std::min(worker_.loop().now() + delay, arrived_ + route_->queueWait));
}

void Session::releaseSlot(Ended how) {
  if (!upstream_) return;
  Upstream& upstream = *std::exchange(upstream_, nullptr);
  if (ticket) return releaseTicket(upstream, how);
  entry_->release(upstream, worker_.loop().now());
}

// --- time ---

void Session::setDeadline(Clock::time_point due) {
  deadline_ = due;
  // Lazily: a timer that fires early looks again, so that a warm request costs no timer work.
  if (due != Clock::time_point::max() && (!timer_.armed() || timer_.due() > due)) worker_.loop().arm(timer_, due);
}

void Session::onDeadline() {
  if (deadline_ == Clock::time_point::max() || state_ == State::idle) return;
  const auto now = worker_.loop().now();
  if (now < deadline_) return worker_.loop().arm(timer_, deadline_);
  switch (state_) {
    case State::backingOff:
      return now < arrived_ + route_->queueWait ? acquire(nullptr) : giveUp(now);
    case State::held:
      return giveUp(now);
    case State::sent:
      cancelCall();
      releaseSlot(Ended::maybe);
      return fail(504, "GatewayTimeout", "timeout", "the function did not answer within spec.timeout");
    case State::answering:
    case State::tunnelling:  // idle for too long
      cancelCall();
      state_ = State::answered;
      releaseSlot(Ended::maybe);
      return exchange_->abort();
    default:
      return;
  }
}

/// While it is held: it looks now and then whether there is anything to wait for.
Session::Clock::time_point Session::holdUntil(Clock::time_point now) const {
  return std::min<Clock::time_point>(arrived_ + route_->queueWait, now + worker_.shared().options.troubleCheck);
}

void Session::giveUp(Clock::time_point now) {
  const PodNews::Trouble trouble = entry_->trouble();
  if (now < arrived_ + route_->queueWait && !trouble.hopeless) return setDeadline(holdUntil(now));
  if (state_ == State::held && !leaveQueue()) return;  // a grant is on its way
  if (!trouble.reason.empty()) return failForPods(trouble);
  if (poolFull_ && !exhausted_)
    return reject(Limit::pool, 503, "pool", "the gateway's pool of concurrency was full for spec.concurrency.queue.wait");
  return reject(Limit::queueWait, 503, "queue.wait",
                exhausted_ ? "the gateway had no descriptors for a connection to a replica within spec.concurrency.queue.wait"
                           : "no replica was free within spec.concurrency.queue.wait");
}

// --- the end ---

void Session::forgetReplay() {
  // Small bodies find their room again; large ones do not stay with an idle session.
  if (replay_.capacity() > kReplayKept)
    std::string().swap(replay_);
  else
    replay_.clear();
}

void Session::finish() {
  state_ = State::idle;
  deadline_ = Clock::time_point::max();
  forgetReplay();
  entry_ = nullptr;
  snapshot_.reset();
  worker_.giveSession(*this);
}

}  // namespace pilotlight::gateway
