// How a shim and the gateways prove who they are when they say that a replica is there: docs/adr/0013-call-home-is-signed.md.
//
// One master key, known to operator and gateways, yields a key for each Function, which is in the environment of its pods, and
// one for the gateways among themselves. What is signed is the body of the POST, as it is sent. Thread-safety: pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pilotlight::callhome {

/// 32 bytes. RFC 2104 with SHA-256.
std::string hmacSha256(std::string_view key, std::string_view message);

/// 64 hex digits. It signs for the pods of this Function alone.
std::string functionKey(std::string_view master, std::string_view namespace_, std::string_view function);
/// Signs what a gateway tells the others.
std::string gatewayKey(std::string_view master);

std::string sign(std::string_view key, std::string_view body);  ///< 64 hex digits
/// In the same time for every wrong signature.
bool verify(std::string_view key, std::string_view body, std::string_view signature);

}  // namespace pilotlight::callhome
