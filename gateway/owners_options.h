// Of gateway/owners.h.
#pragma once

#include <chrono>

namespace pilotlight::gateway {

struct OwnersOptions {
  std::chrono::milliseconds unreachable{std::chrono::seconds(2)};    ///< a gateway that could not be asked is not asked for so long
  std::chrono::milliseconds answerTimeout{std::chrono::seconds(1)};  ///< of a replica that is asked what it runs
  std::chrono::milliseconds connectTimeout{500};                     ///< the same
};

}  // namespace pilotlight::gateway
