#include "cli/shim_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace pilotlight::cli {

namespace fs = std::filesystem;

std::expected<ShimFiles, std::string> findShim(Context& context, const std::string& named) {
  const std::string wanted = named.empty() ? context.environment("PILOTLIGHT_SHIM") : named;
  std::error_code error;
  const fs::path shim = wanted.empty() ? fs::read_symlink("/proc/self/exe", error).parent_path() / "pilotlight-shim" : fs::absolute(wanted);
  if (::access(shim.c_str(), X_OK) != 0)
    return std::unexpected(fmt::format("pilotlight-shim is not at {}: name it with --shim or PILOTLIGHT_SHIM", shim.string()));
  const auto host = shim.parent_path() / "pilotlight-native-host";
  return ShimFiles{shim.string(), ::access(host.c_str(), X_OK) == 0 ? host.string() : ""};
}

}  // namespace pilotlight::cli
