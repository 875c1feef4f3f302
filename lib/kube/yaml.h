// YAML to JSON and back, for bodies and output. Files of manifests are read with positions by api/manifest.h instead.
// Pure; yaml-cpp's exceptions stay inside.
#pragma once

#include <expected>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace pilotlight::kube {

/// One document. Plain scalars follow the YAML core schema (null, true, 12, 1.5), quoted ones are strings. Bounded in
/// nodes and depth, so that aliases cannot blow it up. The error is one line.
std::expected<nlohmann::json, std::string> yamlToJson(std::string_view text);

/// Block style, keys in order, strings quoted where they would read as something else.
std::string jsonToYaml(const nlohmann::json& json);

}  // namespace pilotlight::kube
