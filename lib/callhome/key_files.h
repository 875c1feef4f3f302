// The master keys, as a Secret mounted into operator and gateways holds them: the file `key`, and `previous` while it is replaced.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace pilotlight::callhome {

inline constexpr std::size_t kLeastKey = 32, kMostKey = 4096;  // bytes

/// The current one first. The error names the file, and never tells what is in it.
std::expected<std::vector<std::string>, std::string> readKeys(const std::string& folder);

/// A key for as long as this process: of local mode, or where none is given.
std::string randomKey();

}  // namespace pilotlight::callhome
