// What a shim says when it takes requests, and what one gateway tells the others of it. Thread-safety: pure.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket.h"

namespace pilotlight::gateway {

struct Registration {
  std::string namespace_, function, pod, uid;
  net::Address address{};             ///< ip: of the TCP peer; port: as told
  std::vector<std::string> podIps{};  ///< all that the pod says of itself; empty: not told
  /// How long ago, on the pod's own clock, which may be a wrong one: no times, only how much has gone by.
  std::optional<std::chrono::microseconds> begun, listening;
};

/// The body of a shim's POST from `peerIp`. The error tells what is missing.
std::expected<Registration, std::string> readRegistration(std::string_view body, const std::string& peerIp);

/// What the other gateways are told `elapsed` after it came in.
std::string writePassedOn(const Registration& registration, std::chrono::microseconds elapsed);
std::expected<Registration, std::string> readPassedOn(std::string_view body);

}  // namespace pilotlight::gateway
