// Writes JSON as block YAML, keys in their order. For generated files: always the same text for the same input.
// Thread-safety: pure function.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pilotlight::api {

std::string toYaml(const nlohmann::ordered_json& json);

}  // namespace pilotlight::api
