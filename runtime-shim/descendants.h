// Ending every process below this one.
#pragma once

#include <chrono>

namespace pilotlight::shim {

/// Orphans among our descendants become our children (PID 1 of a container has that by itself).
void becomeSubreaper();

/// Kills and reaps every descendant, also those that left their process group or session, until none is left or the time
/// is over. Needs becomeSubreaper() or PID 1. False: some are left.
bool killDescendants(std::chrono::milliseconds limit);

}  // namespace pilotlight::shim
