#include "core/conditions.h"

#include <algorithm>

#include "api/api.h"

namespace pilotlight::core {

const api::Condition* findCondition(const std::vector<api::Condition>& conditions, std::string_view type) {
  const auto it = std::ranges::find(conditions, type, &api::Condition::type);
  return it == conditions.end() ? nullptr : &*it;
}

void setCondition(std::vector<api::Condition>& conditions, api::Condition condition, std::chrono::system_clock::time_point now) {
  const auto it = std::ranges::find(conditions, condition.type, &api::Condition::type);
  const bool kept = it != conditions.end() && it->status == condition.status && !it->lastTransitionTime.empty();
  condition.lastTransitionTime = kept ? it->lastTransitionTime : api::formatTime(now);
  if (it == conditions.end()) {
    conditions.push_back(std::move(condition));
  } else {
    *it = std::move(condition);
  }
}

bool reasonChanged(const std::vector<api::Condition>& before, const std::vector<api::Condition>& after, std::string_view type) {
  const auto* was = findCondition(before, type);
  const auto* is = findCondition(after, type);
  return is != nullptr && (was == nullptr || was->reason != is->reason);
}

}  // namespace pilotlight::core
