#include "runtime-shim/call_home.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/shim_contract.h"
#include "callhome/signature.h"
#include "runtime-shim/backoff.h"

namespace pilotlight::shim {
namespace {

using std::chrono::milliseconds;

constexpr int kQuickTries = 3;  // of calls that are not believed

net::ClientOptions clientOptions(const Config& config) {
  net::ClientOptions options;
  if (config.listen.ip != "0.0.0.0" && config.listen.ip != "::") options.sourceIp = config.listen.ip;
  options.maxIdlePerAddress = 0;  // each gateway is called once
  return options;
}

// What stays the same from call to call: an object whose end is missing.
std::string identity(const Config& config, std::uint16_t port) {
  std::string body = "{\"port\":" + std::to_string(port);
  const auto add = [&body](const char* name, std::string_view value) {
    body.append(",\"").append(name).append("\":\"");
    appendJsonEscaped(body, value);
    body += '"';
  };
  add("namespace", config.namespace_);
  add("function", config.function);
  add("pod", config.podName);
  add("uid", config.podUid);
  add("ips", config.podIps);
  return body;
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
    refusals_ = 0;
    send();
  }
  void stop() {
    timer_.cancel();
    if (call_) std::exchange(call_, nullptr)->cancel();
  }

  void onHead(const net::ResponseHead& head) override { status_ = head.status; }
  void onBody(std::string_view) override {}
  void onEnd(std::span<const net::Header>) override {
    call_ = nullptr;
    if (status_ == 204) return timer_.cancel();
    home_.log_.warn("gateway did not take the registration", {{"gateway", host_}, {"status", status_}});
    // With a new key, or once it knows the pod better, it may; the API tells it of this replica in any case.
    const bool refused = status_ == 401 || status_ == 403;
    home_.loop_.arm(timer_, refused && ++refusals_ > kQuickTries ? home_.settings_.callHomeRefusedPause : backoff_.next());
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
    const std::string body = home_.body();
    const std::string signature = home_.key_.empty() ? std::string() : callhome::sign(home_.key_, body);
    std::array<net::Header, 3> headers = {
        net::Header{"Host", host_}, {"Content-Type", "application/json"}, {contract::kHeaderSignature, signature}};
    const std::span<const net::Header> sent(headers.data(), signature.empty() ? 2 : 3);
    net::ClientRequest request{"POST", contract::kRegisterPath, sent, net::BodyKind::length, body.size()};
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
  int status_ = 0, refusals_ = 0;
};

CallHome::CallHome(net::Loop& loop, const Config& config, std::uint16_t port, const Log& log)
    : loop_(loop),
      settings_(config.settings),
      log_(log),
      identity_(identity(config, port)),
      key_(config.callHomeKey),
      begun_(std::chrono::nanoseconds(config.begunNs)),
      pool_(loop, clientOptions(config)) {
  for (const net::Address& gateway : config.gateways) attempts_.push_back(std::make_unique<Attempt>(*this, gateway));
}

CallHome::~CallHome() {
  stop();
}

// Ages, not times: the clocks of two machines differ.
std::string CallHome::body() const {
  const auto now = net::Clock::now();
  const auto age = [now](net::Clock::time_point since) {
    return std::to_string(std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(now - since).count()));
  };
  return identity_ + ",\"begunUs\":" + age(begun_) + ",\"listeningUs\":" + age(ready_) + "}";
}

void CallHome::start() {
  ready_ = net::Clock::now();
  for (auto& attempt : attempts_) attempt->start();
}

void CallHome::stop() {
  for (auto& attempt : attempts_) attempt->stop();
}

}  // namespace pilotlight::shim
