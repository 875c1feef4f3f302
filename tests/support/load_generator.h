// Requests at a constant rate, whatever the answers take: latency counts from when a request was due, so that a stall is
// seen by every request that should have been sent in it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/http.h"

namespace pilotlight::test {

struct Load {
  int port = 0;
  int perSecond = 500;
  std::chrono::milliseconds duration = std::chrono::seconds(1);
  int connections = 64;  ///< the most requests under way at once; past that, requests start late and it shows in the latency
  std::function<HttpRequest(int number)> request{};
};

struct LoadReport {
  int sent = 0;
  std::vector<std::string> failures;  ///< anything but a 200, with the second of the run; the first 20
  int failed = 0;
  std::vector<double> latencies;  ///< milliseconds, sorted
  double percentile(double share) const;
  std::string summary() const;
};

/// Blocks for the duration and the last answers.
LoadReport generateLoad(const Load& load);

}  // namespace pilotlight::test
