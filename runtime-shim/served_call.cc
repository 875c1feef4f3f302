#include "runtime-shim/served_call.h"

#include <array>
#include <utility>

#include "api/shim_contract.h"

namespace pilotlight::shim {
namespace {

bool isHandlersToSet(std::string_view name) {
  return !net::isHopByHop(name) && !net::equalsIgnoreCase(name, "content-length") && !net::equalsIgnoreCase(name, "date") &&
         !net::startsWithIgnoreCase(name, contract::kHeaderPrefix);
}

}  // namespace

FunctionServer::ServedCall::ServedCall(FunctionServer& server) : server_(server), timer_([this] { onTimer(); }) {}

FunctionServer::ServedCall::~ServedCall() = default;

void FunctionServer::ServedCall::begin(net::Exchange& exchange, std::string_view requestId, const contract::Ticket& ticket,
                                       std::chrono::system_clock::time_point deadline, std::chrono::milliseconds left) {
  exchange_ = &exchange;
  requestId_ = requestId;
  ticket_ = ticket;
  deadline_ = deadline;
  started_ = exchange.started();
  state_ = State::running;
  status_ = 0;
  ++server_.inFlight_;
  server_.tickets_.began(ticket_);
  due_ = server_.loop_.now() + left;
  if (!timer_.armed() || timer_.due() > due_) server_.loop_.arm(timer_, due_);
  invocation_ = &server_.invoker_.invoke(*this);
  exchange_->sendContinue();
  invocation_->begin();
}

void FunctionServer::ServedCall::pauseBody() {
  if (exchange_ && state_ == State::running) exchange_->pauseBody();
}

void FunctionServer::ServedCall::resumeBody() {
  if (exchange_ && state_ == State::running) exchange_->resumeBody();
}

void FunctionServer::ServedCall::sendInterim(int status, std::span<const net::Header> headers) {
  if (state_ == State::running) exchange_->sendInterim(status, headers);
}

void FunctionServer::ServedCall::sendHead(int status, std::string_view reason, std::span<const net::Header> headers,
                                          net::ResponseBody body) {
  if (state_ != State::running) return;
  net::Headers& kept = server_.kept_;
  kept.clear();
  const bool named = net::connectionNamesAny(headers);
  for (const net::Header& header : headers) {
    if (!isHandlersToSet(header.name) || (named && net::connectionNames(headers, header.name))) continue;
    if (!kept.push(header)) return fail(502, "bad-response", "the handler sent too many headers");
  }
  status_ = status;
  if (body.kind == net::BodyKind::tunnel) due_ = net::Clock::time_point::max();  // the gateway ends those that are idle
  exchange_->sendHead(status, reason, std::span(kept.begin(), kept.end()), body);
}

bool FunctionServer::ServedCall::write(std::string_view part) {
  return state_ != State::running || exchange_->write(part);
}

void FunctionServer::ServedCall::closeTunnel() {
  if (state_ == State::running) exchange_->finish();
}

void FunctionServer::ServedCall::finish(std::span<const net::Header> trailers) {
  bool waitedFor = state_ == State::running;
  endInvocation();
  // The slot is free by now: a caller that has seen the end of this answer may send the next request at once.
  if (waitedFor && exchange_) exchange_->finish(trailers);
}

void FunctionServer::ServedCall::fail(int status, std::string_view error, std::string_view message) {
  if (state_ != State::running) return endInvocation();
  server_.log_.error("request failed", {{"request_id", requestId_}, {"status", status}, {"error", error}, {"reason", message}});
  endInvocation();
  if (status_ != 0) {
    exchange_->abort();
  } else {
    answer(status, contract::kHeaderShimError, error, message);
  }
}

void FunctionServer::ServedCall::refuse(std::string_view reason) {
  if (state_ != State::running) return endInvocation();
  endInvocation();
  if (status_ != 0) return exchange_->abort();
  server_.metrics_.refused(reason);
  answer(503, contract::kHeaderRefused, reason, "the handler can't take the request now");
}

void FunctionServer::ServedCall::cut() {
  bool waitedFor = state_ == State::running;
  endInvocation();
  if (waitedFor && exchange_) exchange_->abort();
}

void FunctionServer::ServedCall::answer(int status, std::string_view header, std::string_view headerValue, std::string_view message) {
  std::string body = "{\"error\":\"";
  appendJsonEscaped(body, headerValue);
  body += "\",\"message\":\"";
  appendJsonEscaped(body, message);
  if (status == 504) body += "\",\"limit\":\"timeout";
  body += "\",\"requestId\":\"";
  appendJsonEscaped(body, requestId_);
  body += "\"}\n";
  status_ = status;
  if (!exchange_->bodyComplete()) exchange_->closeAfter();
  std::array<net::Header, 2> extra = {net::Header{header, headerValue}, net::Header{"Retry-After", "1"}};
  const bool again = status == 503 || status == 504;
  exchange_->respond(status, "application/json", body, std::span(extra).first(again ? 2 : 1));
}

void FunctionServer::ServedCall::onTimer() {
  if (state_ != State::running || due_ == net::Clock::time_point::max()) return;
  if (server_.loop_.now() < due_) return server_.loop_.arm(timer_, due_);
  timeOut();
}

void FunctionServer::ServedCall::timeOut() {
  server_.log_.warn("request timed out", {{"request_id", requestId_}});
  bool headSent = status_ != 0;
  state_ = State::cancelled;
  // The order matters: the invocation may look at nothing of the exchange after cancel(), the exchange may end in abort().
  if (headSent) {
    exchange_->abort();
  } else {
    answer(504, contract::kHeaderShimError, "timeout", "the handler did not answer in time");
  }
  if (invocation_) invocation_->cancel();
}

void FunctionServer::ServedCall::cancelInvocation() {
  state_ = State::cancelled;
  if (invocation_) invocation_->cancel();
}

void FunctionServer::ServedCall::endInvocation() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  server_.invoker_.retire(*std::exchange(invocation_, nullptr));
  server_.releaseSlot(ticket_);
  dropIfDone();
}

void FunctionServer::ServedCall::onBody(net::Exchange&, std::string_view part) {
  if (state_ == State::running) invocation_->onBody(part);
}

void FunctionServer::ServedCall::onBodyEnd(net::Exchange&) {
  if (state_ == State::running) invocation_->onBodyEnd();
}

void FunctionServer::ServedCall::onWritable(net::Exchange&) {
  if (state_ == State::running) invocation_->onWritable();
}

void FunctionServer::ServedCall::onEnd(net::Exchange&, bool) {
  exchange_ = nullptr;
  server_.metrics_.request(status_, net::Clock::now() - started_);
  if (state_ == State::running) return cancelInvocation();  // drops us when the handler is done
  dropIfDone();
}

void FunctionServer::ServedCall::dropIfDone() {
  if (!exchange_ && state_ == State::ended) server_.forget(*this);
}

}  // namespace pilotlight::shim
