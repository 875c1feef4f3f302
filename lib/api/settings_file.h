// The file that `--config` names: a section per table of settings.
// Thread-safety: pure functions.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/setting.h"

namespace pilotlight::api {

/// A table, and the options that it is about.
struct SettingsTarget {
  const SettingsTable& table;
  void* options;
};

/// Sets what the file gives; the rest stays. The error has a line for everything that is wrong: unknown sections and settings,
/// wrong types, values out of bounds ("line 3: gateway.headTimeout: …"). The options are of no use then.
std::expected<void, std::string> readSettings(std::string_view yaml, std::span<const SettingsTarget> targets);

/// A value as it would stand in the file: 1m15s, 64Ki, 256, true. Empty: kNotSet.
std::string formatSetting(const Setting& setting, std::int64_t value);

/// Names and values for the environment of a shim, of every setting that is not at its default.
std::vector<std::pair<std::string, std::string>> settingsEnvironment(const SettingsTable& table, const void* options);

/// docs/settings.md.
std::string settingsReference(std::span<const SettingsTable* const> tables);

}  // namespace pilotlight::api
