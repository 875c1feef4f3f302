#include "operator/gateway_loads.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/shim_contract.h"

namespace pilotlight::op {

/// One gateway's lines. Of the loop's thread.
class GatewayLoads::Stream final : public net::ClientHandler {
 public:
  Stream(GatewayLoads& loads, std::string gateway, std::string uid)
      : uid(std::move(uid)), loads_(loads), gateway_(std::move(gateway)), timer_([this] { onTimer(); }) {}
  ~Stream() { hangUp(); }
  Stream(const Stream&) = delete;

  const std::string uid;  ///< of the pod

  void listenAt(const net::Address& address) {
    if (address == address_) return;
    hangUp();
    address_ = address;
    pause_ = std::chrono::milliseconds(0);
    if (!address_.ip.empty()) call();
  }

  void onHead(const net::ResponseHead& head) override {
    status_ = head.status;
    rest_.clear();
  }
  void onBody(std::string_view part) override {
    if (status_ != 200) return;
    rest_.append(part);
    std::size_t begin = 0;
    for (std::size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (!loads_.told(gateway_, std::string_view(rest_).substr(begin, end - begin))) return fail("its line cannot be read");
      heard_ = true;
      pause_ = std::chrono::milliseconds(0);
    }
    rest_.erase(0, begin);
    if (rest_.size() > loads_.options_.lineBytes) return fail("its line is too long");
    if (begin > 0) loads_.loop_.arm(timer_, loads_.options_.silence);
  }
  void onEnd(std::span<const net::Header>) override {
    call_ = nullptr;
    fail(status_ == 200 ? "it ended the answer" : fmt::format("it answered {}", status_));
  }
  void onFailure(net::ClientFailure failure) override {
    call_ = nullptr;
    fail(net::toString(failure));
  }

 private:
  void call() {
    const std::string host = address_.toString();
    const net::Header headers[] = {{"Host", host}, {"User-Agent", "pilotlight-operator"}};
    const net::ClientRequest request{.method = "GET", .target = contract::kLoadsPath, .headers = headers};
    call_ = loads_.pool_->call(address_, request, *this, true);
    call_->finish();
    loads_.loop_.arm(timer_, loads_.options_.silence);
  }
  void onTimer() { call_ ? fail("it is silent") : call(); }
  void fail(std::string_view why) {
    hangUp();
    loads_.lost(gateway_, std::exchange(heard_, false) || !told_ ? why : std::string_view());
    told_ = true;
    const auto& options = loads_.options_;
    pause_ = pause_.count() == 0 ? options.retryMin : std::min(pause_ * 2, options.retryMax);
    loads_.loop_.arm(timer_, pause_);
  }
  void hangUp() {
    timer_.cancel();
    if (call_) std::exchange(call_, nullptr)->cancel();
    rest_.clear();
  }

  GatewayLoads& loads_;
  const std::string gateway_;
  net::Address address_;
  net::Timer timer_;  // the end of a silence, or of the pause before the next call
  net::ClientCall* call_ = nullptr;
  int status_ = 0;
  bool heard_ = false;  // since the last failure
  bool told_ = false;   // that it was not heard when it should
  std::string rest_;    // of a line that is not whole yet
  std::chrono::milliseconds pause_{0};
};

GatewayLoads::GatewayLoads(GatewayPods& pods, const Log& log, GatewayLoadsOptions options)
    : log_(log), options_(options), expire_([this] { expire(); }) {
  net::ClientOptions client;
  client.connectTimeout = options_.connectTimeout;
  client.maxIdlePerAddress = 0;
  pool_ = std::make_unique<net::ClientPool>(loop_, client);
  pods.onPod([this](const GatewayPod& pod) { loop_.post([this, pod] { onPod(pod); }); });
}

GatewayLoads::~GatewayLoads() {
  stop();
}

void GatewayLoads::start() {
  loop_.post([this] { loop_.arm(expire_, options_.keep); });
  thread_ = std::thread([this] { loop_.run(); });
}

void GatewayLoads::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    expire_.cancel();
    streams_.clear();
    pool_.reset();
  });
  loop_.stop();
  thread_.join();
}

void GatewayLoads::onPod(const GatewayPod& pod) {
  if (!pool_) return;  // stopped
  auto& stream = streams_[pod.name];
  if (pod.gone) {
    if (stream && stream->uid != pod.uid) return;  // of an earlier pod of that name
    streams_.erase(pod.name);
    const std::lock_guard lock(mutex_);
    sums_.gone(pod.name);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    sums_.present(pod.name, pod.ready);
  }
  if (!stream || stream->uid != pod.uid) stream = std::make_unique<Stream>(*this, pod.name, pod.uid);
  stream->listenAt({pod.ip, options_.port});
}

/// False: the line cannot be read.
bool GatewayLoads::told(const std::string& gateway, std::string_view text) {
  std::vector<core::FunctionId> demanded;
  decltype(listeners_) listeners;
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    const auto line = core::readLoadLine(text, std::chrono::steady_clock::now());
    if (!line) return false;
    const std::size_t heard = sums_.heard();
    demanded = sums_.told(gateway, *line);
    news = sums_.heard() > heard;
    if (!demanded.empty()) listeners = listeners_;
  }
  if (news) log_.info("gateway is heard", {{"gateway", gateway}});
  for (const auto& id : demanded)
    for (const auto& listener : listeners) listener(id.namespace_, id.name);
  return true;
}

void GatewayLoads::lost(const std::string& gateway, std::string_view why) {
  {
    const std::lock_guard lock(mutex_);
    sums_.lost(gateway);
    if (!why.empty()) ++lost_;
  }
  if (!why.empty()) log_.warn("gateway is not heard: while it is ready nothing is scaled down", {{"gateway", gateway}, {"cause", why}});
}

void GatewayLoads::expire() {
  {
    const std::lock_guard lock(mutex_);
    sums_.expire(std::chrono::steady_clock::now() - options_.keep);
  }
  loop_.arm(expire_, options_.keep);
}

std::vector<core::FunctionLoad> GatewayLoads::loads() const {
  const std::lock_guard lock(mutex_);
  return sums_.loads(std::chrono::steady_clock::now());
}

void GatewayLoads::onDemand(std::function<void(const std::string&, const std::string&)> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

bool GatewayLoads::complete() const {
  const std::lock_guard lock(mutex_);
  return sums_.complete();
}

std::string GatewayLoads::metrics() const {
  const std::lock_guard lock(mutex_);
  return fmt::format(
      "# HELP pilotlight_operator_gateways Gateways whose loads are heard, and ready ones whose loads are not\n"
      "# TYPE pilotlight_operator_gateways gauge\n"
      "pilotlight_operator_gateways{{state=\"heard\"}} {}\n"
      "pilotlight_operator_gateways{{state=\"missed\"}} {}\n"
      "# HELP pilotlight_operator_gateway_streams_lost_total Streams of loads that ended or never began\n"
      "# TYPE pilotlight_operator_gateway_streams_lost_total counter\n"
      "pilotlight_operator_gateway_streams_lost_total {}\n",
      sums_.heard(), sums_.missed(), lost_);
}

}  // namespace pilotlight::op
