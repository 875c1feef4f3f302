// Standard Kubernetes conditions. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"

namespace pilotlight::core {

inline constexpr const char* kConditionReady = "Ready";
inline constexpr const char* kConditionProgressing = "Progressing";
inline constexpr const char* kConditionRouteReady = "RouteReady";
inline constexpr const char* kConditionScaled = "Scaled";
/// Of Functions with variables from Secrets or ConfigMaps: whether a change of these is seen.
inline constexpr const char* kConditionSourcesWatched = "SourcesWatched";

/// The condition of this type, nullptr when there is none.
const api::Condition* findCondition(const std::vector<api::Condition>& conditions, std::string_view type);

/// Adds or replaces the condition of the same type. lastTransitionTime is `now` when the status changed or is new, and is
/// kept otherwise, whatever `condition` says.
void setCondition(std::vector<api::Condition>& conditions, api::Condition condition, std::chrono::system_clock::time_point now);

/// True when the reason of this type's condition is another than before (or it was not there).
bool reasonChanged(const std::vector<api::Condition>& before, const std::vector<api::Condition>& after, std::string_view type);

}  // namespace pilotlight::core
