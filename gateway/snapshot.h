// The routes as the event loops see them: immutable, replaced as a whole.
#pragma once

#include <memory>
#include <vector>

#include "api/types.h"
#include "core/routing.h"
#include "gateway/function_entry.h"

namespace pilotlight::gateway {

/// What a request needs to know of its route, side by side: with thousands of functions each further place in memory that is
/// looked at costs a miss of the caches.
struct Route {
  std::shared_ptr<FunctionEntry> entry;
  api::HttpLimits limits;
  api::Duration queueWait, idleTimeout;
  api::Visibility visibility;
  api::Retry retry;
  bool limited;  ///< over all gateways: reserved is set
  bool closed;   ///< reserved: 0, it takes no requests
};

struct Snapshot {
  std::vector<Route> routes;
  core::RouteTable table;  // of the same indices
};

}  // namespace pilotlight::gateway
