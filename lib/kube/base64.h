// Base64 (RFC 4648) as Secrets and kubeconfig files hold it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::kube {

/// Standard alphabet with padding; white space is skipped. nullopt: not base64.
std::optional<std::string> decodeBase64(std::string_view text);

}  // namespace pilotlight::kube
