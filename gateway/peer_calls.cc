#include "gateway/peer_calls.h"

#include <array>
#include <span>
#include <utility>

#include "api/shim_contract.h"

namespace pilotlight::gateway {

namespace {

net::ClientOptions clientOptions(const CallHomeOptions& options) {
  net::ClientOptions client;
  client.connectTimeout = options.peerTimeout;
  client.maxIdlePerAddress = 4;
  return client;
}

}  // namespace

/// One registration on its way to one gateway.
class PeerCalls::Call final : public net::ClientHandler {
 public:
  Call(PeerCalls& calls, const Peer& peer, const Registration& registration)
      : calls_(calls), address_(peer.address), host_(address_.toString()), registration_(registration), timer_([this] { onTimer(); }) {}
  ~Call() {
    if (call_) call_->cancel();
  }

  void send() {
    ++tries_;
    status_ = 0;
    const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(net::Clock::now() - came_);
    const std::string body = writePassedOn(registration_, elapsed);
    const std::string signature = calls_.keys_.signAsGateway(body);
    const std::array<net::Header, 3> headers = {
        net::Header{"Host", host_}, {"Content-Type", "application/json"}, {contract::kHeaderSignature, signature}};
    const std::span<const net::Header> sent(headers.data(), signature.empty() ? 2 : 3);
    call_ = calls_.pool_.call(address_, {"POST", contract::kPassedOnPath, sent, net::BodyKind::length, body.size()}, *this, tries_ > 1);
    call_->write(body);
    call_->finish();
    calls_.loop_.arm(timer_, calls_.options_.peerTimeout);
  }

  void onHead(const net::ResponseHead& head) override { status_ = head.status; }
  void onBody(std::string_view) override {}
  void onEnd(std::span<const net::Header>) override {
    call_ = nullptr;
    if (status_ != 204 && mayTryAgain()) return pause();
    done(status_ == 204);
  }
  void onFailure(net::ClientFailure) override {
    call_ = nullptr;
    if (mayTryAgain()) return pause();
    done(false);
  }

  bool ended() const { return ended_; }

 private:
  bool mayTryAgain() const { return tries_ < calls_.options_.peerTries; }
  void pause() { calls_.loop_.arm(timer_, calls_.options_.peerPause); }
  void onTimer() {
    if (!call_) return send();
    std::exchange(call_, nullptr)->cancel();  // no answer in time
    if (!mayTryAgain()) return done(false);
    send();
  }
  void done(bool told) {
    timer_.cancel();
    (told ? calls_.counts_.passedOn : calls_.counts_.notPassedOn).fetch_add(1, std::memory_order_relaxed);
    ended_ = true;
    calls_.loop_.arm(calls_.sweep_, std::chrono::milliseconds(0));
  }

  PeerCalls& calls_;
  const net::Address address_;
  const std::string host_;
  const Registration registration_;
  const net::Clock::time_point came_ = net::Clock::now();
  net::Timer timer_;  // an answer's time, or the pause before another try
  net::ClientCall* call_ = nullptr;
  int tries_ = 0, status_ = 0;
  bool ended_ = false;
};

PeerCalls::PeerCalls(net::Loop& loop, const Peers& peers, CallHomeKeys& keys, const CallHomeOptions& options, CallHomeCounts& counts)
    : loop_(loop), peers_(peers), keys_(keys), options_(options), counts_(counts), pool_(loop, clientOptions(options)), sweep_([this] {
        sweep();
      }) {}

PeerCalls::~PeerCalls() = default;

void PeerCalls::pass(const Registration& registration) {
  const auto peers = peers_.all();
  for (const Peer& peer : *peers) {
    if (peer.name == peers_.self() || peer.address.ip.empty()) continue;
    if (calls_.size() >= options_.peerCalls) {
      counts_.notPassedOn.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    calls_.push_back(std::make_unique<Call>(*this, peer, registration));
    calls_.back()->send();
  }
}

void PeerCalls::sweep() {
  std::erase_if(calls_, [](const auto& call) { return call->ended(); });
}

}  // namespace pilotlight::gateway
