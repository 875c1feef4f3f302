#include "core/cold_start.h"

#include <algorithm>

namespace pilotlight::core {

ColdStartDurations coldStartDurations(ColdStartTime held, const ColdStartEnds& ends) {
  auto at = ends.at;
  ColdStartTime next = ColdStartTime::max();
  for (std::size_t i = at.size(); i-- > 0;)
    if (at[i]) next = *(at[i] = std::min(*at[i], next));

  ColdStartDurations durations;
  ColdStartTime last = held;
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (!at[i] || *at[i] < held) continue;
    durations[i] = *at[i] - last;
    last = *at[i];
  }
  return durations;
}

}  // namespace pilotlight::core
