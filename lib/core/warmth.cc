#include "core/warmth.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace pilotlight::core {

namespace {

constexpr int kKeep = 100, kSpare = -100;

std::vector<const WarmthPod*> byAge(const std::vector<WarmthPod>& pods) {
  std::vector<const WarmthPod*> sorted;
  for (const auto& pod : pods) {
    sorted.push_back(&pod);
  }
  std::ranges::sort(sorted, {}, [](const WarmthPod* pod) { return std::tie(pod->created, pod->name); });
  return sorted;
}

}  // namespace

std::vector<int> withParked(std::vector<int> lit, const std::vector<int>& weights, int parked, int max) {
  const auto heaviest = std::ranges::max_element(weights);
  const int room = max - std::accumulate(lit.begin(), lit.end(), 0);
  if (heaviest != weights.end() && *heaviest > 0 && room > 0) {
    lit[static_cast<std::size_t>(heaviest - weights.begin())] += std::min(parked, room);
  }
  return lit;
}

WarmthPlan planWarmth(const std::vector<WarmthPod>& pods, int lit, int parked) {
  WarmthPlan plan;
  const int parkedNow = static_cast<int>(std::ranges::count(pods, true, &WarmthPod::parked));
  const int surplus = static_cast<int>(pods.size()) - parkedNow - lit;
  for (const auto* pod : byAge(pods)) {
    if (pod->parked && static_cast<int>(plan.light.size()) < -surplus) {
      plan.light.push_back(pod->name);
    }
    if (!pod->parked && pod->ready) {
      plan.park.push_back(pod->name);
    }
  }
  std::ranges::reverse(plan.park);
  plan.parkCount = std::clamp(parked - parkedNow, 0, std::max(surplus, 0));
  if (plan.parkCount == 0) {
    plan.park.clear();
  }
  return plan;
}

std::vector<int> deletionCosts(const std::vector<WarmthPod>& pods, int parked) {
  std::vector<int> costs(pods.size(), 0);
  for (const auto* pod : byAge(pods)) {
    if (pod->parked) {
      costs[static_cast<std::size_t>(pod - pods.data())] = parked-- > 0 ? kKeep : kSpare;
    }
  }
  return costs;
}

}  // namespace pilotlight::core
