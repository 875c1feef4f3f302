#include "runtime-shim/function_server.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

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
  bool takes = ready_ && !draining_;
  if (path == contract::kShimHealthz) {
    exchange.respond(200, "text/plain", "ok\n");
  } else if (path == contract::kShimReadyz) {
    exchange.respond(takes ? 200 : 503, "text/plain", takes ? "ok\n" : draining_ ? "draining\n" : "starting\n");
  } else if (path == contract::kShimMetrics) {
    exchange.respond(200, "text/plain; version=0.0.4", metrics_.text({inFlight_, config_.concurrency, takes, draining_}));
  } else if (path == contract::kTicketsPath) {
    answerTickets(exchange);
  } else if (path != contract::kShimDrain) {
    exchange.respond(404, "text/plain", "not found\n");
  } else if (exchange.head().method != "POST") {
    exchange.respond(405, "text/plain", "use POST\n");
  } else {
    beginDrain();
    if (drainRequested_) drainRequested_();
    exchange.respond(202, "text/plain", "draining\n");
  }
  return true;
}

net::ExchangeHandler* FunctionServer::onRequest(net::Exchange& exchange) {
  if (answersItself(exchange)) return nullptr;
  lastActivity_ = loop_.now();
  std::string_view reason = draining_ ? "draining" : !ready_ ? "starting" : inFlight_ >= config_.concurrency ? "concurrency" : "";
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
  const std::array<net::Header, 2> extra = {net::Header{contract::kHeaderTicket, lowest},
                                            net::Header{contract::kHeaderRefused, draining_ ? "draining" : "starting"}};
  exchange.respond(taken ? 200 : 409, "text/plain", tickets_.text(inFlight_), std::span(extra).first(ready_ && !draining_ ? 1 : 2));
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
