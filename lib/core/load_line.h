// The lines in which a gateway tells its loads to whoever listens at contract::kLoadsPath: one JSON object each,
//   {"gateway":"gw-0","instance":"5f0c…","complete":true,
//    "loads":[{"namespace":"shop","name":"orders","inFlight":3,"queued":0,"concurrencyMillis":18204,"requests":51,"idleMillis":0}],
//    "gone":[{"namespace":"shop","name":"carts"}]}
// The first lines hold every function that was ever called, later ones those that changed. Times are ages, since the clocks of
// two machines have nothing in common.
// Thread-safety: pure functions.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/host_claims.h"
#include "core/load.h"

namespace pilotlight::core {

struct LoadLine {
  std::string gateway;
  std::string instance;   ///< another one than before: the gateway's counters have begun anew
  bool complete = false;  ///< with the lines before, it tells everything
  std::vector<FunctionLoad> loads;
  std::vector<FunctionId> gone;  ///< functions that the gateway knows no more
};

/// One line without its end. Ages are counted from `now`.
std::string writeLoadLine(const LoadLine& line, std::chrono::steady_clock::time_point now);

/// The loads are as of `now`. The error says what cannot be read.
std::expected<LoadLine, std::string> readLoadLine(std::string_view text, std::chrono::steady_clock::time_point now);

}  // namespace pilotlight::core
