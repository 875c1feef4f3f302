// The file of `pilotlight local --config`: settings of the gateway, the operator and the shims.
#pragma once

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "gateway/gateway.h"
#include "operator/operator.h"

namespace pilotlight::local {

struct ConfigFile {
  gateway::GatewayOptions gateway;
  op::OperatorOptions operator_;
  std::vector<std::pair<std::string, std::string>> shimVariables;  ///< for the environment of every shim
};

/// Pure. The error names each setting that is wrong, one a line.
std::expected<ConfigFile, std::string> parseConfig(std::string_view yaml);

/// Empty path: the defaults. The error names the file too.
std::expected<ConfigFile, std::string> readConfigFile(const std::string& path);

}  // namespace pilotlight::local
