#include "runtime-shim/function_server.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "api/shim_contract.h"
#include "runtime-shim/served_call.h"

namespace pilotlight::shim {

using std::chrono::milliseconds;
using std::chrono::system_clock;

namespace {

// Requests come through a gateway, which adds fields of its own to what it took from a client.
net::ServerOptions serverOptions(const Settings& settings) {
  net::ServerOptions options;
  options.head.fields = net::Headers::kMax;
  options.maxConnections = settings.maxConnections;
  options.headTimeout = settings.headTimeout;
  options.idleTimeout = settings.idleTimeout;
  options.sendTimeout = settings.sendTimeout;
  return options;
}

}  // namespace

FunctionServer::FunctionServer(net::Loop& loop, const Config& config, Invoker& invoker, Metrics& metrics, const Log& log)
    : loop_(loop), config_(config), invoker_(invoker), metrics_(metrics), log_(log), server_(loop, *this, serverOptions(config.settings)) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
    random = static_cast<std::uint64_t>(system_clock::now().time_since_epoch().count());
  char text[20];
  std::snprintf(text, sizeof text, "%016llx-", static_cast<unsigned long long>(random));
  idPrefix_ = text;
}

FunctionServer::~FunctionServer() = default;

std::string_view FunctionServer::requestIdOf(const net::RequestHead& head) {
  if (auto given = head.headers.get(contract::kHeaderRequestId); given && !given->empty()) return *given;
  char number[16];
  char* end = std::to_chars(number, number + sizeof number, ++idNext_, 16).ptr;
  id_.assign(idPrefix_).append(number, end);
  return id_;
}

void FunctionServer::refuse(net::Exchange& exchange, std::string_view reason) {
  metrics_.refused(reason);
  // A body that is not read yet would have to be read before the next request: don't. And who isn't ready may only stand in:
  // its connections must not be kept for later, when they close as the next request is sent.
  if (!exchange.bodyComplete() || draining_ || !ready_) exchange.closeAfter();
  std::array<net::Header, 2> extra = {net::Header{contract::kHeaderRefused, reason}, net::Header{"Retry-After", "1"}};
  exchange.respond(503, "application/json", "{\"error\":\"refused\",\"message\":\"" + std::string(reason) + "\"}\n", extra);
}

bool FunctionServer::answersItself(net::Exchange& exchange) {
  std::string_view path = exchange.head().path;
  if (!path.starts_with(contract::kShimPrefix)) return false;
  bool takes = (ready_ || parked_) && !draining_;
  if (path == contract::kShimHealthz) {
    exchange.respond(200, "text/plain", "ok\n");
  } else if (path == contract::kShimReadyz) {
    exchange.respond(takes ? 200 : 503, "text/plain", draining_ ? "draining\n" : parked_ ? "parked\n" : ready_ ? "ok\n" : "starting\n");
  } else if (path == contract::kShimMetrics) {
    exchange.respond(200, "text/plain; version=0.0.4",
                     metrics_.text({inFlight_, config_.concurrency, takes && !parked_, parked_, draining_}));
  } else if (path == contract::kTicketsPath) {
    answerTickets(exchange);
  } else {
    return false;
  }
  return true;
}

net::ExchangeHandler* FunctionServer::control(net::Exchange& exchange) {
  std::string_view path = exchange.head().path;
  if (path != contract::kShimDrain && path != contract::kShimPark && path != contract::kShimLight) {
    exchange.respond(404, "text/plain", "not found\n");
  } else if (exchange.head().method != "POST") {
    exchange.respond(405, "text/plain", "use POST\n");
  } else if (path == contract::kShimLight) {
    return light(exchange);
  } else if (path == contract::kShimPark) {
    park(exchange);
  } else {
    beginDrain();
    if (drainRequested_) drainRequested_();
    exchange.respond(202, "text/plain", "draining\n");
  }
  return nullptr;
}

void FunctionServer::park(net::Exchange& exchange) {
  exchange.closeAfter();  // whoever serves here next may be another process
  const bool parks = !draining_ && (parked_ || (ready_ && idle() && parkRequested_ && parkRequested_()));
  exchange.respond(parks ? 202 : 409, "text/plain", parks ? "parked\n" : draining_ ? "draining\n" : ready_ ? "busy\n" : "starting\n");
}

// Answers when requests are taken. Deletes itself.
class FunctionServer::LightWait final : public net::ExchangeHandler {
 public:
  LightWait(FunctionServer& server, net::Exchange& exchange) : server_(server), exchange_(exchange) { server_.lightWaits_.push_back(this); }
  void answer(bool lit) { exchange_.respond(lit ? 200 : 503, "text/plain", lit ? "lit\n" : "not lit\n"); }
  void onBody(net::Exchange&, std::string_view) override {}
  void onBodyEnd(net::Exchange&) override {}
  void onEnd(net::Exchange&, bool) override {
    std::erase(server_.lightWaits_, this);
    delete this;
  }

 private:
  FunctionServer& server_;
  net::Exchange& exchange_;
};

net::ExchangeHandler* FunctionServer::light(net::Exchange& exchange) {
  if (draining_ || (ready_ && !parked_)) {
    exchange.respond(draining_ ? 503 : 200, "text/plain", draining_ ? "draining\n" : "lit\n");
    return nullptr;
  }
  auto* wait = new LightWait(*this, exchange);
  // Posted: it may succeed at once, and the exchange has its handler only when we return.
  if (parked_ && lightRequested_) loop_.post(lightRequested_);
  return wait;
}

void FunctionServer::answerLights(bool lit) {
  for (LightWait* wait : std::exchange(lightWaits_, {})) wait->answer(lit);
}

void FunctionServer::setReady(bool ready) {
  ready_ = ready;
  if (ready) answerLights(true);
}

void FunctionServer::beginDrain() {
  draining_ = true;
  answerLights(false);
}

/// Why it takes no requests at all; empty: it does.
std::string_view FunctionServer::notNow() const {
  return draining_ ? "draining" : parked_ ? "parked" : !ready_ ? "starting" : "";
}

net::ExchangeHandler* FunctionServer::onRequest(net::Exchange& exchange) {
  if (answersItself(exchange)) return nullptr;
  if (exchange.head().path.starts_with(contract::kShimPrefix)) return control(exchange);
  lastActivity_ = loop_.now();
  std::string_view reason = notNow();
  if (reason.empty() && inFlight_ >= config_.concurrency) reason = "concurrency";
  const auto shown = exchange.head().headers.get(contract::kHeaderTicket);
  const contract::Ticket ticket = shown ? contract::parseTicket(*shown).value_or(contract::Ticket{}) : contract::Ticket{};
  if (reason.empty()) reason = tickets_.refuses(ticket);
  if (!reason.empty()) {
    refuse(exchange, reason);
    return nullptr;
  }
  auto now = system_clock::now();
  auto deadline = now + config_.timeout;
  if (auto given = exchange.head().headers.get(contract::kHeaderDeadline)) {
    std::int64_t millis = 0;
    auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), millis);
    const auto latest = std::chrono::duration_cast<milliseconds>(deadline.time_since_epoch()).count();
    if (error == std::errc())
      deadline = std::min(deadline, system_clock::time_point(milliseconds(std::clamp<std::int64_t>(millis, 0, latest))));
  }
  auto left = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - now));
  ServedCall& call = calls_.take(*this);
  call.begin(exchange, requestIdOf(exchange.head()), ticket, deadline, left);
  return &call;
}

void FunctionServer::answerTickets(net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  // One that isn't ready may stand in for who is going to run requests: asked by who has not, nothing runs there; but not later.
  if (!ready_) exchange.closeAfter();
  const auto given = head.headers.get(contract::kHeaderTicket);
  const auto ticket = given ? contract::parseTicket(*given) : std::nullopt;
  const bool post = head.method == "POST";
  if (!ticket || !(post || head.method == "DELETE")) return exchange.respond(400, "text/plain", "POST or DELETE with a ticket\n");
  const bool taken = post ? tickets_.fence(*ticket) : tickets_.lift(*ticket);
  const std::string lowest = contract::toString(tickets_.lowest());
  const std::string_view refused = notNow();
  const std::array<net::Header, 2> extra = {net::Header{contract::kHeaderTicket, lowest}, net::Header{contract::kHeaderRefused, refused}};
  exchange.respond(taken ? 200 : 409, "text/plain", tickets_.text(inFlight_), std::span(extra).first(refused.empty() ? 1 : 2));
}

void FunctionServer::releaseSlot(const contract::Ticket& ticket) {
  tickets_.ended(ticket);
  --inFlight_;
  lastActivity_ = loop_.now();
}

void FunctionServer::forget(ServedCall& call) {
  calls_.give(call);
  lastActivity_ = loop_.now();
}

}  // namespace pilotlight::shim
