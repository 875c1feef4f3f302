// The signals that end a program, taken one by one by its main thread instead of anywhere in between.
// Thread-safety: notify() from any thread; the rest from the one that made it, before it starts others.
#pragma once

#include <chrono>
#include <csignal>

namespace pilotlight::program {

class Signals {
 public:
  /// Blocks SIGINT, SIGTERM and SIGHUP in this thread and those it starts; a closed pipe or socket is an error of the write.
  Signals();
  enum class Event { end, notified, nothing };
  Event wait() const;                                       ///< until the program shall end, or notify()
  Event waitFor(std::chrono::milliseconds patience) const;  ///< the same; nothing: not within that time
  static void notify();                                     ///< wait() returns

 private:
  static Event eventOf(int signal);
  sigset_t set_{};
};

}  // namespace pilotlight::program
