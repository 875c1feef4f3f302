// Of gateway/owners.h.
#pragma once

#include <chrono>

namespace pilotlight::gateway {

/// Between two questions to a replica, as long as it is not clear what it runs; doubled each time.
struct AskPauses {
  std::chrono::milliseconds first{10}, most{500};
};

struct OwnersOptions {
  std::chrono::milliseconds unreachable{std::chrono::seconds(2)};    ///< a gateway that could not be asked is not asked for so long
  std::chrono::milliseconds answerTimeout{std::chrono::seconds(1)};  ///< of a replica that is asked what it runs
  std::chrono::milliseconds connectTimeout{500};                     ///< the same
  AskPauses pauses{};
  std::chrono::milliseconds silence{
      std::chrono::seconds(1)};             ///< a gateway where requests wait is looked at so often, and has so long to answer
  std::chrono::milliseconds queuePause{5};  ///< what waits for less is not told to other gateways
};

}  // namespace pilotlight::gateway
