// The routes as the event loops see them: immutable, replaced as a whole.
#pragma once

#include <memory>
#include <vector>

#include "api/types.h"
#include "core/routing.h"
#include "gateway/function_entry.h"

namespace pilotlight::gateway {

struct Snapshot {
  std::vector<std::shared_ptr<const api::FunctionRoute>> routes;
  std::vector<std::shared_ptr<FunctionEntry>> entries;  // same index
  core::RouteTable table;
};

}  // namespace pilotlight::gateway
