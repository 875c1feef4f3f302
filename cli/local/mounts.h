// Secrets and ConfigMaps laid out as files, the way the kubelet does it (pkg/volume/util/atomic_writer.go):
//
//   <folder>/..2026_01_31_12_00_00.123456789/<key>   one set of files
//   <folder>/..data -> ..2026_01_31_12_00_00.123456789
//   <folder>/<key>  -> ..data/<key>
//
// A change writes a new set and swaps ..data by rename: a reader that opens <folder>/<key> sees the old or the new
// content, never a mixture. (As with the kubelet, an open() whose path walk is under way during the swap may fail once.)
// Thread-safety: one thread per folder.
#pragma once

#include <sys/types.h>

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "cli/local/sources.h"

namespace pilotlight::local {

inline constexpr mode_t kSecretMode = 0400;
inline constexpr mode_t kConfigMode = 0644;

/// Kubernetes' rule for keys: letters, digits, '-', '_', '.'; at most 253; not "." and not starting with "..".
bool validKey(std::string_view key);

/// The folder under `root` that stands for an absolute path in a container. The error says what is wrong with the path.
std::expected<std::filesystem::path, std::string> mountFolder(const std::filesystem::path& root, const std::string& path);

/// Makes the files of `folder` be `data`; folders are made with mode 0700. False: they were already.
std::expected<bool, std::string> writeMount(const std::filesystem::path& folder, const SourceData& data, mode_t mode);

/// Makes `folder` and its parents, mode 0700.
std::expected<void, std::string> makeFolders(const std::filesystem::path& folder);

/// Removes a tree without following links out of it. Best effort: what can't be removed stays.
void removeTree(const std::filesystem::path& folder) noexcept;

}  // namespace pilotlight::local
