#include "runtime-shim/call_home.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/shim_contract.h"
#include "runtime-shim/backoff.h"

namespace pilotlight::shim {
namespace {

using std::chrono::milliseconds;

net::ClientOptions clientOptions(const Config& config) {
  net::ClientOptions options;
  if (config.listen.ip != "0.0.0.0" && config.listen.ip != "::") options.sourceIp = config.listen.ip;
  options.maxIdlePerAddress = 0;  // each gateway is called once
  return options;
}

std::string registration(const Config& config, std::uint16_t port, bool parked) {
  std::string body = "{\"namespace\":\"";
  appendJsonEscaped(body, config.namespace_);
  body += "\",\"pod\":\"";
  appendJsonEscaped(body, config.podName);
  body += "\",\"uid\":\"";
  appendJsonEscaped(body, config.podUid);
  return body + "\",\"port\":" + std::to_string(port) + (parked ? ",\"parked\":true}" : "}");
}

}  // namespace

// Calls one gateway until it has taken the registration.
class CallHome::Attempt final : public net::ClientHandler {
 public:
  Attempt(CallHome& home, net::Address gateway)
      : home_(home),
        gateway_(std::move(gateway)),
        host_(gateway_.toString()),
        timer_([this] { onTimer(); }),
        backoff_(home.settings_.callHomePause, home.settings_.callHomeMaxPause) {}

  void start() {
    stop();
    backoff_.reset();
    send();
  }
  void stop() {
    timer_.cancel();
    if (call_) std::exchange(call_, nullptr)->cancel();
  }
  bool waits() const { return timer_.armed(); }

  void onHead(const net::ResponseHead& head) override { status_ = head.status; }
  void onBody(std::string_view) override {}
  void onEnd(std::span<const net::Header>) override {
    call_ = nullptr;
    if (status_ == 204) return timer_.cancel();
    home_.log_.warn("gateway did not take the registration", {{"gateway", host_}, {"status", status_}});
    home_.loop_.arm(timer_, backoff_.next());
  }
  void onFailure(net::ClientFailure) override {
    call_ = nullptr;
    home_.loop_.arm(timer_, backoff_.next());
  }

 private:
  void onTimer() {
    if (call_) std::exchange(call_, nullptr)->cancel();
    send();
  }
  void send() {
    status_ = 0;
    const std::string& body = home_.tellParked_ ? home_.parked_ : home_.lit_;
    std::array<net::Header, 2> headers = {net::Header{"Host", host_}, net::Header{"Content-Type", "application/json"}};
    net::ClientRequest request{"POST", contract::kRegisterPath, headers, net::BodyKind::length, body.size()};
    call_ = home_.pool_.call(gateway_, request, *this, true);
    call_->write(body);
    call_->finish();
    home_.loop_.arm(timer_, home_.settings_.callHomeTimeout);
  }

  CallHome& home_;
  const net::Address gateway_;
  const std::string host_;
  net::Timer timer_;  // the answer's time, or the pause before the next attempt
  Backoff backoff_;
  net::ClientCall* call_ = nullptr;  // null between calls
  int status_ = 0;
};

CallHome::CallHome(net::Loop& loop, const Config& config, std::uint16_t port, const Log& log)
    : loop_(loop),
      settings_(config.settings),
      log_(log),
      lit_(registration(config, port, false)),
      parked_(registration(config, port, true)),
      pool_(loop, clientOptions(config)) {
  for (const net::Address& gateway : config.gateways) attempts_.push_back(std::make_unique<Attempt>(*this, gateway));
}

CallHome::~CallHome() {
  stop();
}

void CallHome::start(bool parked) {
  tellParked_ = parked;
  for (auto& attempt : attempts_) attempt->start();
}

void CallHome::stop() {
  for (auto& attempt : attempts_) attempt->stop();
}

bool CallHome::told() const {
  return std::ranges::none_of(attempts_, [](const auto& attempt) { return attempt->waits(); });
}

}  // namespace pilotlight::shim
