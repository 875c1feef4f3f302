#include "runtime-shim/native_library.h"

#include <dlfcn.h>
#include <unistd.h>

namespace pilotlight::shim {

std::expected<NativeLibrary, std::string> loadLibrary(const std::string& file, const std::string& symbol) {
  std::string path = file;
  if (file.find('/') == std::string::npos && ::access(file.c_str(), R_OK) == 0) path = "./" + file;
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return std::unexpected("load " + path + ": " + ::dlerror());
  const auto* version = static_cast<const std::uint32_t*>(::dlsym(library, "pilotlight_abi_version"));
  if (!version) return std::unexpected("load " + path + ": it has no pilotlight_abi_version: does it include pilotlight/function.h?");
  if (*version != PILOTLIGHT_ABI_VERSION) {
    return std::unexpected("load " + path + ": made for version " + std::to_string(*version) + " of the interface; this host has " +
                           std::to_string(PILOTLIGHT_ABI_VERSION));
  }
  NativeLibrary loaded;
  loaded.handle = reinterpret_cast<pilotlight_handler>(::dlsym(library, symbol.c_str()));
  if (!loaded.handle) return std::unexpected("load " + path + ": it has no function \"" + symbol + "\"");
  loaded.init = reinterpret_cast<decltype(loaded.init)>(::dlsym(library, "pilotlight_init"));
  loaded.shutdown = reinterpret_cast<decltype(loaded.shutdown)>(::dlsym(library, "pilotlight_shutdown"));
  loaded.changed = reinterpret_cast<decltype(loaded.changed)>(::dlsym(library, "pilotlight_changed"));
  return loaded;
}

}  // namespace pilotlight::shim
