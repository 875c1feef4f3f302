// A function's shared library: found, loaded, checked. Any thread; loading runs the library's constructors.
#pragma once

#include <pilotlight/function.h>

#include <expected>
#include <string>

namespace pilotlight::shim {

struct NativeLibrary {
  pilotlight_handler handle = nullptr;
  int (*init)(const pilotlight_context*) = nullptr;       ///< may be null
  void (*shutdown)(const pilotlight_context*) = nullptr;  ///< may be null
  void (*changed)(const pilotlight_context*) = nullptr;   ///< may be null
};

/// `file`: with a slash as it is; else first in the working folder, then where the loader looks. It stays loaded for good.
/// The error says what is wrong with which file.
std::expected<NativeLibrary, std::string> loadLibrary(const std::string& file, const std::string& symbol);

}  // namespace pilotlight::shim
