// The gateway's own endpoints: call-home of shims, metrics, health.
#include <nlohmann/json.hpp>

#include "api/shim_contract.h"
#include "gateway/ticket_desk.h"
#include "gateway/worker.h"

namespace pilotlight::gateway {

namespace {

constexpr std::size_t kMaxRegistration = 4096;
constexpr std::chrono::seconds kRegistrationTime{5};

/// Collects a shim's registration and answers it.
class RegisterCall final : public net::ExchangeHandler {
 public:
  RegisterCall(Worker& worker, net::Exchange& exchange) : worker_(worker), exchange_(exchange), tooLate_([this] { exchange_.abort(); }) {
    worker_.loop().arm(tooLate_, kRegistrationTime);
  }

  void onBody(net::Exchange& exchange, std::string_view part) override {
    if (body_.size() + part.size() > kMaxRegistration) return exchange.abort();
    body_.append(part);
  }

  void onBodyEnd(net::Exchange& exchange) override {
    const auto json = nlohmann::json::parse(body_, nullptr, false);
    const auto text = [&](const char* name) {
      return json.is_object() && json.contains(name) && json[name].is_string() ? json[name].get<std::string>() : std::string();
    };
    Registry::Registration registration{text("namespace"), text("pod"), text("uid"), {exchange.peer().ip, 0}};
    if (json.is_object() && json.contains("port") && json["port"].is_number_unsigned() && json["port"].get<std::uint64_t>() <= 65535)
      registration.address.port = json["port"].get<std::uint16_t>();
    if (registration.uid.empty() || registration.pod.empty() || registration.namespace_.empty() || registration.address.port == 0)
      return exchange.respond(400, "application/json",
                              "{\"error\":\"BadRequest\",\"message\":\"namespace, pod, uid and port are needed\"}\n");
    switch (worker_.shared().registry.registerShim(registration)) {
      case Registry::Registered::taken:
      case Registry::Registered::kept:
        return exchange.respond(204, "", "");
      case Registry::Registered::contradicts:
        return exchange.respond(409, "application/json", "{\"error\":\"Conflict\",\"message\":\"the API knows this pod otherwise\"}\n");
      case Registry::Registered::full:
        return exchange.respond(503, "application/json",
                                "{\"error\":\"ServiceUnavailable\",\"message\":\"too many unknown pods register\"}\n");
    }
  }

  void onEnd(net::Exchange&, bool) override { delete this; }

 private:
  Worker& worker_;
  net::Exchange& exchange_;
  net::Timer tooLate_;
  std::string body_;
};

}  // namespace

net::ExchangeHandler* answerInternal(Worker& worker, net::Exchange& exchange) {
  const net::RequestHead& head = exchange.head();
  if (head.path == contract::kRegisterPath && head.method == "POST") return new RegisterCall(worker, exchange);
  if (head.path == contract::kLoadsPath && head.method == "GET") return worker.loads().open(exchange);
  if (head.path == contract::kSlotPath && head.method == "POST") return openTicketDesk(worker, exchange);
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
