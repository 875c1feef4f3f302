#include "program/config.h"

#include <fstream>
#include <sstream>

namespace pilotlight::program {

std::expected<void, std::string> readConfig(const std::string& path, std::span<const api::SettingsTarget> targets) {
  if (path.empty()) return {};
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return std::unexpected("--config " + path + ": it can't be read");
  if (auto read = api::readSettings(text.str(), targets); !read) return std::unexpected("--config " + path + ": " + read.error());
  return {};
}

}  // namespace pilotlight::program
