#include "runtime-shim/lifecycle.h"

#include <unistd.h>

#include <utility>

namespace pilotlight::shim {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

Lifecycle::Lifecycle(net::Loop& loop, const Config& config, FunctionServer& server, Invoker& invoker, CallHome& home, int noticeFd,
                     Parking parking, const Log& log)
    : loop_(loop),
      config_(config),
      server_(server),
      invoker_(invoker),
      home_(home),
      noticeFd_(noticeFd),
      parking_(parking),
      log_(log),
      timer_([this] { check(); }) {
  server_.onDrainRequested([this] { stopTakingRequests(); });
  server_.onParkRequested([this] { return park(); });
  server_.onLightRequested([this] { light(); });
}

void Lifecycle::start() {
  invoker_.start([this](bool ready) { onReadiness(ready); });
}

void Lifecycle::onReadiness(bool ready) {
  warmth_ = Warmth::lit;  // one that can't be lit is like any whose handler is down
  server_.setParked(false);
  server_.setReady(ready);
  if (server_.draining()) return;
  if (ready) {
    home_.start();
  } else {
    home_.stop();
  }
  notice(ready);
}

bool Lifecycle::park() {
  if (phase_ != Phase::serving || warmth_ != Warmth::lit) return false;
  warmth_ = Warmth::parking;
  parkStart_ = net::Clock::now();
  server_.setReady(false);
  server_.setParked(true);
  home_.start(true);
  if (parking_ == Parking::process)
    loop_.arm(timer_, kCheckParkingEvery);
  else
    invoker_.stop(parkStart_ + config_.grace, [this] { onParked(); });
  return true;
}

void Lifecycle::onParked() {
  if (phase_ != Phase::serving) return;
  log_.info("parked", {{"took_ms", duration_cast<milliseconds>(net::Clock::now() - parkStart_).count()}});
  if (std::exchange(warmth_, Warmth::parked) == Warmth::relight) light();
}

void Lifecycle::light() {
  if (phase_ != Phase::serving) return;
  if (warmth_ == Warmth::parking && parking_ == Parking::process) return onReadiness(true);  // it has only stopped taking requests
  if (warmth_ == Warmth::parking) warmth_ = Warmth::relight;
  if (warmth_ != Warmth::parked || parking_ == Parking::process) return;
  warmth_ = Warmth::lighting;
  start();
}

// Another process will be behind our socket: a request that was on its way on a connection of ours would be lost with it. So the
// gateways close theirs first, as they hear of it or as they fall idle.
void Lifecycle::checkParking() {
  if (warmth_ != Warmth::parking) return;
  const auto waited = net::Clock::now() - parkStart_;
  const bool told = home_.told() || waited > config_.settings.callHomeTimeout;
  const bool alone = server_.connections() == 0 || waited > config_.settings.idleTimeout;
  if (!told || !alone || !server_.idle()) return loop_.arm(timer_, kCheckParkingEvery);
  warmth_ = Warmth::parked;
  drainStart_ = parkStart_;
  server_.leave([this] { stopHandler(); });
}

void Lifecycle::notice(bool ready) {
  if (ready == noticed_) return;
  noticed_ = ready;
  std::string_view text = ready ? "ready\n" : "unready\n";
  // Nobody reading is no reason to fail: the peers see our state by the endpoints as well.
  if (noticeFd_ >= 0) [[maybe_unused]]
    ssize_t ignored = ::write(noticeFd_, text.data(), text.size());
}

void Lifecycle::stopTakingRequests() {
  server_.beginDrain();
  home_.stop();
  notice(false);
}

void Lifecycle::terminate() {
  if (parking_ == Parking::process && parked()) return;  // ending already
  if (phase_ != Phase::serving) {
    log_.warn("told to end again: ending at once", {{"in_flight", static_cast<std::int64_t>(server_.inFlight())}});
    return loop_.stop();
  }
  log_.info("draining", {{"in_flight", static_cast<std::int64_t>(server_.inFlight())}});
  phase_ = Phase::draining;
  stopTakingRequests();
  drainStart_ = net::Clock::now();
  giveUp_ = drainStart_ + config_.grace;
  loop_.arm(timer_, milliseconds(1));
}

void Lifecycle::check() {
  if (phase_ == Phase::serving) return checkParking();
  auto now = net::Clock::now();
  if (phase_ == Phase::stopping) return loop_.stop();  // the invoker did not keep its deadline
  if (now >= giveUp_) {
    log_.warn("grace is over", {{"in_flight", static_cast<std::int64_t>(server_.inFlight())}});
    return stopHandler();
  }
  // Without connections a shorter silence will do: one may be on its way from a gateway that has not heard of the drain.
  auto silence = server_.connections() == 0 ? kSilenceAlone : config_.settings.drainSilence;
  bool silent = now - std::max(drainStart_, server_.lastActivity()) >= silence;
  if (phase_ == Phase::draining && server_.idle() && silent) {
    phase_ = Phase::closing;
    server_.close([this] {
      if (phase_ == Phase::closing) stopHandler();
    });
  }
  loop_.arm(timer_, kCheckEvery);
}

void Lifecycle::stopHandler() {
  phase_ = Phase::stopping;
  auto deadline = std::max(giveUp_, net::Clock::now());
  if (parking_ == Parking::process && parked()) deadline += config_.grace;
  loop_.arm(timer_, deadline + milliseconds(500));
  invoker_.stop(deadline, [this] {
    log_.info("drained", {{"took_ms", duration_cast<milliseconds>(net::Clock::now() - drainStart_).count()}});
    loop_.stop();
  });
}

}  // namespace pilotlight::shim
