// Waits from outside for a gateway of this machine: what a container's postStart hook runs, in images without a shell.
#pragma once

#include <chrono>
#include <expected>
#include <string>

#include "net/socket.h"

namespace pilotlight::gateway {

/// Asks /readyz at the internal listener until it says yes, or for `patience`. Blocks. The error says what it saw last.
std::expected<void, std::string> awaitReady(const net::Address& internal, std::chrono::milliseconds patience);

}  // namespace pilotlight::gateway
