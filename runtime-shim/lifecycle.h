// The life of a serving process: starting -> ready <-> not ready -> draining -> stopped.
//
// The drain loses no request: it first says that it is not ready, still accepts connections and refuses what is new with
// a mark that the gateway may send it elsewhere, finishes what it has, and closes only when its peers have gone or have
// been silent for Settings::drainSilence. Then the handler is ended. All of it within the grace.
// Loop thread only.
#pragma once

#include "runtime-shim/call_home.h"
#include "runtime-shim/function_server.h"

namespace pilotlight::shim {

class Lifecycle {
 public:
  /// `noticeFd`: where "ready\n" and "unready\n" are written; -1: nowhere.
  Lifecycle(net::Loop& loop, const Config& config, FunctionServer& server, Invoker& invoker, CallHome& home, int noticeFd, const Log& log);

  void start();
  /// Starts to drain; a second time: ends at once. The loop stops when all is done.
  void terminate();

 private:
  enum class Phase : std::uint8_t { serving, draining, closing, stopping };

  void onReadiness(bool ready);
  void notice(bool ready);
  void stopTakingRequests();
  void check();
  void stopHandler();

  static constexpr std::chrono::milliseconds kCheckEvery{5};
  static constexpr std::chrono::milliseconds kSilenceAlone{100};

  net::Loop& loop_;
  const Config& config_;
  FunctionServer& server_;
  Invoker& invoker_;
  CallHome& home_;
  const int noticeFd_;
  const Log& log_;
  Phase phase_ = Phase::serving;
  bool noticed_ = false;  // the last notice said ready
  net::Clock::time_point drainStart_{}, giveUp_{};
  net::Timer timer_;
};

}  // namespace pilotlight::shim
