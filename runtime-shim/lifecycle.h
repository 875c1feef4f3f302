// The life of a serving process: starting -> ready <-> not ready -> draining -> stopped.
//
// In between it may be parked and lit again: ready -> parking -> parked -> lighting -> ready. It is parked only while it has no
// request, refuses what comes with a mark that says so, and is ready in the kubelet's eyes throughout.
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
  /// What parking ends: the handler that the invoker has, or this process (the native host), in whose place another one is lit.
  enum class Parking : std::uint8_t { handler, process };
  /// `noticeFd`: where "ready\n" and "unready\n" are written; -1: nowhere.
  Lifecycle(net::Loop& loop, const Config& config, FunctionServer& server, Invoker& invoker, CallHome& home, int noticeFd, Parking parking,
            const Log& log);

  void start();
  bool parked() const { return warmth_ == Warmth::parked; }
  /// Starts to drain; a second time: ends at once. The loop stops when all is done.
  void terminate();

 private:
  enum class Phase : std::uint8_t { serving, draining, closing, stopping };
  enum class Warmth : std::uint8_t {
    lit,       // the handler runs, or is being brought up
    parking,   // it is ending
    relight,   // the same, and is wanted again
    parked,    // there is none, or it is ending with this process
    lighting,  // it starts
  };

  void onReadiness(bool ready);
  bool park();
  void light();
  void onParked();
  void checkParking();
  void notice(bool ready);
  void stopTakingRequests();
  void check();
  void stopHandler();

  static constexpr std::chrono::milliseconds kCheckEvery{5};
  static constexpr std::chrono::milliseconds kCheckParkingEvery{20};
  static constexpr std::chrono::milliseconds kSilenceAlone{100};

  net::Loop& loop_;
  const Config& config_;
  FunctionServer& server_;
  Invoker& invoker_;
  CallHome& home_;
  const int noticeFd_;
  const Parking parking_;
  const Log& log_;
  Phase phase_ = Phase::serving;
  Warmth warmth_ = Warmth::lit;
  bool noticed_ = false;  // the last notice said ready
  net::Clock::time_point drainStart_{}, parkStart_{}, giveUp_{};
  net::Timer timer_;
};

}  // namespace pilotlight::shim
