// The gateway's own endpoints: call-home of shims, metrics, health.
#include <algorithm>

#include "api/shim_contract.h"
#include "gateway/place_desk.h"
#include "gateway/ticket_desk.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {

constexpr std::size_t kMaxRegistration = 4096;
constexpr std::chrono::seconds kRegistrationTime{5};

enum class Caller { shim, gateway };

/// Collects what tells of a replica, and answers it.
class RegisterCall final : public net::ExchangeHandler {
 public:
  RegisterCall(Worker& worker, net::Exchange& exchange, Caller caller)
      : worker_(worker),
        exchange_(exchange),
        caller_(caller),
        signature_(exchange.head().headers.get(contract::kHeaderSignature).value_or("")),
        tooLate_([this] { exchange_.abort(); }) {
    worker_.loop().arm(tooLate_, kRegistrationTime);
  }

  void onBody(net::Exchange& exchange, std::string_view part) override {
    if (body_.size() + part.size() > kMaxRegistration) return exchange.abort();
    body_.append(part);
  }

  void onBodyEnd(net::Exchange& exchange) override {
    using Counts = CallHomeCounts;
    CallHomeCounts& counts = worker_.shared().callHome;
    Counts::Outcomes& outcomes = caller_ == Caller::shim ? counts.fromShims : counts.fromGateways;
    const auto read = caller_ == Caller::shim ? readRegistration(body_, exchange.peer().ip) : readPassedOn(body_);
    const Counts::Outcome outcome = read ? judge(*read) : Counts::malformed;
    outcomes[outcome].fetch_add(1, std::memory_order_relaxed);
    switch (outcome) {
      case Counts::taken:
      case Counts::kept:
        if (caller_ == Caller::shim) worker_.peerCalls().pass(*read);
        return exchange.respond(204, "", "");
      case Counts::malformed:
        return refuse(400, "BadRequest", read.error());
      case Counts::unbelieved:
        return refuse(401, "Unauthorized", "the call is not signed with a key that holds");
      case Counts::foreign:
        return refuse(403, "Forbidden", "a replica may only tell of itself, from its pod's address and for its pod's function");
      case Counts::contradicts:
        return refuse(409, "Conflict", "the API knows this pod otherwise");
      case Counts::full:
        return refuse(503, "ServiceUnavailable", "too many unknown pods register");
    }
  }

  void onEnd(net::Exchange&, bool) override { delete this; }

 private:
  CallHomeCounts::Outcome judge(const Registration& registration) {
    CallHomeKeys& keys = worker_.shared().keys;
    const bool byShim = caller_ == Caller::shim;
    if (byShim ? !keys.signedByPod(registration, body_, signature_) : !keys.signedByGateway(body_, signature_))
      return CallHomeCounts::unbelieved;
    // What a pod signed must not be of use elsewhere.
    if (byShim && !keys.open() && std::ranges::find(registration.podIps, registration.address.ip) == registration.podIps.end())
      return CallHomeCounts::foreign;
    switch (worker_.shared().registry.registerShim(registration)) {
      case Registry::Registered::taken:
        return CallHomeCounts::taken;
      case Registry::Registered::kept:
        return CallHomeCounts::kept;
      case Registry::Registered::foreign:
        return CallHomeCounts::foreign;
      case Registry::Registered::contradicts:
        return CallHomeCounts::contradicts;
      case Registry::Registered::full:
        return CallHomeCounts::full;
    }
    return CallHomeCounts::full;
  }

  void refuse(int status, std::string_view error, std::string_view message) {
    std::string body = "{\"error\":\"" + std::string(error) + "\",\"message\":";
    appendJsonString(body, message);
    exchange_.respond(status, "application/json", body + "}\n");
  }

  Worker& worker_;
  net::Exchange& exchange_;
  const Caller caller_;
  const std::string signature_;
  net::Timer tooLate_;
  std::string body_;
};

}  // namespace

net::ExchangeHandler* answerInternal(Worker& worker, net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  if (head.path == contract::kRegisterPath && head.method == "POST") return new RegisterCall(worker, exchange, Caller::shim);
  if (head.path == contract::kPassedOnPath && head.method == "POST") return new RegisterCall(worker, exchange, Caller::gateway);
  if (head.path == contract::kLoadsPath && head.method == "GET") return worker.loads().open(exchange);
  if (head.path == contract::kSlotPath && head.method == "POST") return openTicketDesk(worker, exchange);
  if (head.path == slot::kQueuePath && head.method == "POST") return openPlaceDesk(worker, exchange);
  if (head.path == "/metrics" || head.path == "/_pilotlight/metrics")
    exchange.respond(200, "text/plain; version=0.0.4; charset=utf-8", worker.shared().metrics());
  else if (head.path.ends_with("/readyz") && worker.shared().ending.load(std::memory_order_relaxed))
    exchange.respond(503, "text/plain", "ending\n");
  else if (head.path.ends_with("/healthz") || head.path.ends_with("/readyz"))
    exchange.respond(200, "text/plain", "ok\n");
  else
    exchange.respond(404, "application/json", "{\"error\":\"NotFound\",\"message\":\"no such endpoint of the gateway\"}\n");
  return nullptr;
}

}  // namespace pilotlight::gateway
