// What all gateways count together, and whether that is all there is.
//
// Each gateway tells counters that rise since it began (core/load_line.h). What it had counted before it began anew, or went,
// stays in the sums: concurrencyMillis and requests of a function never fall while the function is in loads().
// A gateway that should be heard and is not keeps its last counts, and complete() is false: then nobody may conclude that there
// is less load than before.
// Pure: time is passed in. Thread-safety: none, the owner locks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/load_line.h"

namespace pilotlight::core {

class LoadSums {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Its pod is there. `ready`: it may get requests, so that not to hear it is to know nothing.
  void present(const std::string& gateway, bool ready);
  /// A line of its stream. Returns the functions for which more requests wait there than before. Nothing when the gateway is not
  /// present.
  std::vector<FunctionId> told(const std::string& gateway, const LoadLine& line);
  /// Its stream ended. It is unknown until it is complete again, or not ready: then its requests ended with it.
  void lost(const std::string& gateway);
  /// Its pod is gone, and its requests with it.
  void gone(const std::string& gateway);
  /// Forgets functions that no gateway knows any more, and that had no load since then.
  void expire(Time activeBefore);

  /// Every function that was told of. `at` of one without load is `now`, of one with load the last time it was told of.
  std::vector<FunctionLoad> loads(Time now) const;
  /// Some gateway is heard, and every one that may have requests is.
  bool complete() const;
  std::size_t heard() const;   ///< gateways
  std::size_t missed() const;  ///< gateways that should be heard and are not

 private:
  struct Gateway {
    bool ready = false;
    bool heard = false;  ///< its stream is there and has told everything
    std::string instance;
    std::map<FunctionId, FunctionLoad> loads;
  };
  struct Past {
    std::int64_t concurrencyMillis = 0, requests = 0;
    Time lastActive{};
  };
  void keep(const FunctionId& id, const FunctionLoad& load);
  void keepAll(Gateway& gateway);
  static bool missed(const Gateway& gateway) { return gateway.ready && !gateway.heard; }

  std::map<std::string, Gateway> gateways_;
  std::map<FunctionId, Past> past_;  ///< of gateways that have gone or begun anew
};

}  // namespace pilotlight::core
