// The file that `--config` names, read at the start.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "api/settings_file.h"

namespace pilotlight::program {

/// Sets what the file gives. The error names the option and the file, and each setting that is wrong, one a line. Empty path: nothing.
std::expected<void, std::string> readConfig(const std::string& path, std::span<const api::SettingsTarget> targets);

}  // namespace pilotlight::program
