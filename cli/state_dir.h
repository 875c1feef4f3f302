// Where a local instance keeps its state, and the lock that makes it the only one there.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "kube/cluster_config.h"

namespace pilotlight::cli {

using kube::Environment;
std::string processEnvironment(const char* name);

/// `flag` if not empty, else $PILOTLIGHT_HOME, $XDG_STATE_HOME/pilotlight, ~/.local/state/pilotlight.
std::filesystem::path stateDirPath(const std::string& flag, const Environment& environment);

/// Holds the state folder for as long as it lives. The kernel lets go of the lock when the process ends in any way, so a
/// file left by a killed instance is no obstacle.
class StateDir {
 public:
  /// Creates the folder (mode 0700) and takes the lock. The error says who holds it and what to do.
  static std::expected<StateDir, std::string> open(const std::filesystem::path& path);
  StateDir(StateDir&& other) noexcept;
  StateDir& operator=(StateDir&&) = delete;
  ~StateDir();

  const std::filesystem::path& path() const { return path_; }

 private:
  StateDir(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

/// Writes a file that only the user may read (0600), so that a reader sees the old or the new content, never a part.
std::expected<void, std::string> writePrivateFile(const std::filesystem::path& path, const std::string& content);

}  // namespace pilotlight::cli
