// What kubectl asks before its first real request: which groups and resources there are. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace pilotlight::local {

/// /api, /apis, /api/v1, /apis/{group}[/{version}]; nullopt for any other path.
std::optional<nlohmann::json> discovery(std::string_view path);

}  // namespace pilotlight::local
