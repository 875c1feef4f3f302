// libFuzzer target: readManifests takes any bytes, and what it returns is admitted again without a change.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "api/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pilotlight::api;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto manifests = readManifests("fuzz.yaml", text, {.imageWhenAbsent = "local"});
  if (!manifests) {
    for (const ManifestError& error : manifests.error()) {
      if (error.toString().empty() || error.line < 0) std::abort();
    }
    return 0;
  }
  for (const Manifest& manifest : *manifests) {
    auto again = admit(manifest.object);
    if (!again || *again != manifest.object) std::abort();
    if (manifest.object.dump().empty()) std::abort();
  }
  return 0;
}
