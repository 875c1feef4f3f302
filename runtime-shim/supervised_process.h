// One long-lived process that is started again when it ends, after a growing delay. Loop thread only.
//
// One that ends Settings::failedStarts times in a row before it ever got ready is given up: the loop stops, and with it the shim, so
// that whoever runs the container sees the failure (CrashLoopBackOff) and keeps its own, longer delays. One that had been
// ready is started again for ever.
#pragma once

#include <functional>
#include <string>

#include "runtime-shim/backoff.h"
#include "runtime-shim/log.h"
#include "runtime-shim/process.h"

namespace pilotlight::shim {

class SupervisedProcess {
 public:
  struct Events {
    std::function<std::expected<pid_t, std::string>()> spawn;  ///< the error says why it can't be started
    std::function<void()> started;
    std::function<void()> ended;            ///< not after stop()
    std::function<void()> rests = nullptr;  ///< it has ended with `restCode`: start() starts it again
    int restCode = -1;
  };
  /// `signalGroup`: SIGTERM goes to its whole process group.
  SupervisedProcess(net::Loop& loop, Children& children, const Log& log, const Settings& settings, bool signalGroup, Events events);
  ~SupervisedProcess();

  void start();  ///< also after stop() is done
  /// SIGTERM now, SIGKILL to its group at `deadline`; `done` once it has ended.
  void stop(net::Clock::time_point deadline, std::function<void()> done);
  /// To its group or to itself, as constructed; no effect while it doesn't run.
  void signal(int number);

  /// To itself alone, as one tells a server to read its files again: what it started may not know the signal, and would end.
  void tell(int number);

  /// It got ready: its next end is not a failure to start.
  void settled() {
    failedStarts_ = 0;
    ready_ = true;
  }
  /// How the process that was given up ended, as a shell tells it; 0: it was not given up.
  int exitCode() const { return exitCode_; }

  bool running() const { return pid_ != 0; }
  std::uint64_t restarts() const { return restarts_; }

 private:
  static constexpr int kNotFound = 127;  // what a shell says of a command that can't be started

  enum class Intent : std::uint8_t { keepRunning, stop };
  void spawn();
  void onEnded(int status);
  void onTimer();
  bool givesUp(int code);

  net::Loop& loop_;
  Children& children_;
  const Log& log_;
  const Settings& settings_;
  const bool signalGroup_;
  Events events_;
  Intent intent_ = Intent::keepRunning;
  pid_t pid_ = 0;  // 0: not running
  std::uint64_t restarts_ = 0;
  int failedStarts_ = 0;  // in a row
  bool ready_ = false;    // this run of it
  int exitCode_ = 0;
  RestartBackoff backoff_;
  net::Timer timer_;  // running: the deadline of stop(); else the next start
  std::function<void()> stopped_;
};

}  // namespace pilotlight::shim
