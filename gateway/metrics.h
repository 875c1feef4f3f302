// The gateway's metrics in Prometheus' text format. Functions without a request so far have no series.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/call_home_counts.h"
#include "gateway/function_entry.h"
#include "gateway/memory_guard.h"

namespace pilotlight::tls {
class Store;
}

namespace pilotlight::gateway {

/// From a request that found no replica to its first byte, by phase: once for each replica that was waited for.
using ColdStartHistograms = std::array<FunctionCounters::Histogram, core::kColdStartPhases.size()>;

struct GatewayCounts {
  std::uint64_t unrouted = 0, wakePatches = 0, accessLogDropped = 0, watchRestarts = 0, ownerMoves = 0, crashes = 0;
  std::size_t functions = 0, gateways = 1;
  Pool::Counts pool = {};
  MemoryGuard::Counts memory = {};
  const FunctionCounters::Histogram *wakeSent = nullptr, *wakeAnswered = nullptr;
  const CallHomeCounts* callHome = nullptr;
  const ColdStartHistograms* coldStarts = nullptr;
  const tls::Store* tls = nullptr;
};

std::string renderMetrics(const std::vector<std::shared_ptr<FunctionEntry>>& entries, const GatewayCounts& counts);

}  // namespace pilotlight::gateway
