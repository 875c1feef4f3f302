#include "cli/local/config_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "api/settings_file.h"
#include "gateway/settings.h"
#include "operator/settings.h"
#include "runtime-shim/settings.h"

namespace pilotlight::local {

std::expected<ConfigFile, std::string> parseConfig(std::string_view yaml) {
  ConfigFile config;
  shim::Settings shims;
  const api::SettingsTarget targets[] = {
      {gateway::settings(), &config.gateway}, {op::settings(), &config.operator_}, {shim::settingsTable(), &shims}};
  if (auto read = api::readSettings(yaml, targets); !read) return std::unexpected(std::move(read.error()));
  config.shimVariables = api::settingsEnvironment(shim::settingsTable(), &shims);
  return config;
}

std::expected<ConfigFile, std::string> readConfigFile(const std::string& path) {
  if (path.empty()) return ConfigFile{};
  std::ifstream file(path);
  if (!file) return std::unexpected(fmt::format("--config {}: {}", path, std::strerror(errno)));
  auto config = parseConfig(std::string(std::istreambuf_iterator<char>(file), {}));
  if (!config) return std::unexpected(fmt::format("--config {}:\n{}", path, config.error()));
  return config;
}

}  // namespace pilotlight::local
