#include "runtime-shim/lifecycle.h"

#include <unistd.h>

namespace pilotlight::shim {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

Lifecycle::Lifecycle(net::Loop& loop, const Config& config, FunctionServer& server, Invoker& invoker, CallHome& home, int noticeFd,
                     const Log& log)
    : loop_(loop), config_(config), server_(server), invoker_(invoker), home_(home), noticeFd_(noticeFd), log_(log), timer_([this] {
        check();
      }) {
  server_.onDrainRequested([this] { stopTakingRequests(); });
}

void Lifecycle::start() {
  invoker_.start([this](bool ready) { onReadiness(ready); });
}

void Lifecycle::onReadiness(bool ready) {
  server_.setReady(ready);
  if (server_.draining()) return;
  if (ready) {
    home_.start();
  } else {
    home_.stop();
  }
  notice(ready);
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
  loop_.arm(timer_, deadline + milliseconds(500));
  invoker_.stop(deadline, [this] {
    log_.info("drained", {{"took_ms", duration_cast<milliseconds>(net::Clock::now() - drainStart_).count()}});
    loop_.stop();
  });
}

}  // namespace pilotlight::shim
