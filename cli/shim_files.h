// The programs that go into functions' pods.
#pragma once

#include <expected>
#include <string>

#include "cli/commands.h"

namespace pilotlight::cli {

struct ShimFiles {
  std::string shim;        ///< pilotlight-shim
  std::string nativeHost;  ///< pilotlight-native-host beside it; empty: not there, so no native functions
};

/// `named`, else $PILOTLIGHT_SHIM, else beside this program. The error says where it was looked for.
std::expected<ShimFiles, std::string> findShim(Context& context, const std::string& named);

}  // namespace pilotlight::cli
