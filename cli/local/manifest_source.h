// The YAML files of `pilotlight local -f`: applied, watched, applied again, deleted when they go.
//
// Expected flow: construct, start() (reads and applies everything once), stop().
// Guarantees: nothing of a wrong file is applied, and what an earlier, right content of it made keeps running; objects
// that left a file, or whose file is gone, are deleted; a Function whose own files (the entries of its command that exist
// in its folder) change gets a new code revision and so a new version.
// Level-triggered: a change on disk only says "look again"; each pass reads what is there.
// Thread-safety: start(), stop() from one thread; `report` is called from start() and from the watching thread.
#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kube/client.h"

namespace pilotlight::local {

inline constexpr const char* kManagerLocal = "pilotlight-local";

struct ManifestReport {
  enum class Kind { created, configured, unchanged, deleted, wrong, note };
  Kind kind = Kind::note;
  std::string text;  ///< "function.pilotlight.dev/hello created"; for wrong: file, line, field, what is allowed
};

struct ManifestSourceOptions {
  std::vector<std::filesystem::path> paths;
  std::chrono::milliseconds debounce{50};      ///< quiet for this long before a pass
  std::chrono::milliseconds debounceMax{500};  ///< a pass comes at the latest after this
  std::function<void(const ManifestReport&)> report;
};

class ManifestSource {
 public:
  ManifestSource(kube::Client& client, ManifestSourceOptions options);
  ~ManifestSource();  ///< stops
  /// The error: a path does not exist. Wrong files are reported, not errors.
  std::expected<void, std::string> start();
  void stop();  ///< joins; idempotent; what was applied stays

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::local
