// Where the time of a cold start went. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace pilotlight::core {

/// In their order; each begins where the one before that is known has ended, the first when the request was held.
enum class ColdStartPhase : std::size_t {
  patched,     ///< the API has taken the write that raises the Deployment
  podCreated,  ///< its pod is there, as a watch tells
  scheduled,   ///< it has a node, as a watch tells
  sandbox,     ///< its network and volumes are there, as a watch tells: if that came in time, which the kubelet does not promise
  container,   ///< the shim's process has begun, as it says itself
  listening,   ///< it takes requests, as it says itself
  registered,  ///< this gateway has heard of it
  firstByte,   ///< the client's answer has begun
};
inline constexpr std::array<const char*, 8> kColdStartPhases{"patched",   "pod_created", "scheduled",  "sandbox",
                                                             "container", "listening",   "registered", "first_byte"};

using ColdStartTime = std::chrono::steady_clock::time_point;
/// When each phase ended, by the gateway's clock; nullopt: not known.
struct ColdStartEnds {
  std::array<std::optional<ColdStartTime>, kColdStartPhases.size()> at{};
  std::optional<ColdStartTime>& operator[](ColdStartPhase phase) { return at[static_cast<std::size_t>(phase)]; }
};

using ColdStartDurations = std::array<std::optional<std::chrono::nanoseconds>, kColdStartPhases.size()>;

/// Of a request held since `held`: never negative, and together the time until the last end. The time of a phase whose end is
/// not known, or came before the request, is in the next one. What a watch tells comes late: it is as old as what must have
/// come after it.
ColdStartDurations coldStartDurations(ColdStartTime held, const ColdStartEnds& ends);

}  // namespace pilotlight::core
