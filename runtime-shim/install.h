// Copies the shim's programs into a folder: what the init container of a foreign image's pod does.
#pragma once

#include <expected>
#include <string>

namespace pilotlight::shim {

/// Copies this program and, when it lies beside it, pilotlight-native-host into `folder`, executable by all. A file that is
/// there is replaced as a whole. The error names the file and the reason.
std::expected<void, std::string> install(const std::string& folder);

}  // namespace pilotlight::shim
