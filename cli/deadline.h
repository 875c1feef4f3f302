// --timeout as kubectl has it: "30s", "5m".
#pragma once

#include <chrono>
#include <expected>
#include <string>

#include "api/api.h"

namespace pilotlight::cli {

using Deadline = std::chrono::steady_clock::time_point;

/// Empty: none.
inline std::expected<Deadline, std::string> deadlineAfter(const std::string& timeout) {
  if (timeout.empty()) return Deadline::max();
  const auto duration = api::parseDuration(timeout);
  if (!duration) return std::unexpected("--timeout: " + duration.error());
  return std::chrono::steady_clock::now() + *duration;
}

}  // namespace pilotlight::cli
