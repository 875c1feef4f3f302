// Times as the Kubernetes API writes them: RFC 3339 in UTC. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::kube {

using SystemTime = std::chrono::system_clock::time_point;

/// "2026-01-31T12:00:00Z"
std::string timestamp(SystemTime time);
/// "2026-01-31T12:00:00.000000Z", as a Lease's MicroTime must be.
std::string microTimestamp(SystemTime time);
/// Either, with any number of fractional digits (below a microsecond they are dropped) and any offset from UTC.
std::optional<SystemTime> parseTimestamp(std::string_view text);

}  // namespace pilotlight::kube
