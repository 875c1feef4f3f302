// How many descriptors a process may have open: the soft limit (RLIMIT_NOFILE).
//
// A program that serves needs one for every connection, so it takes what the hard limit allows. What it starts gets the usual
// soft limit back: many programs misbehave with a huge one, because they use select(), or close every descriptor there could be.
#pragma once

#include <cstdint>

namespace pilotlight::net {

/// From main(), before threads and children. `usual`: the limit that children get; 0: the one that this process began with.
void raiseDescriptorLimit(std::uint64_t usual = 0);

/// What children get: the soft limit before raiseDescriptorLimit().
std::uint64_t usualDescriptorLimit();

/// In a child, between fork or vfork and exec: the usual limit again. Async-signal-safe; no effect where none was raised.
void restoreDescriptorLimit();

}  // namespace pilotlight::net
