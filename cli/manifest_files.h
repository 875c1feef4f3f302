// YAML files on disk: found, read, and made ready for local mode.
// Thread-safety: pure but for the file system.
#pragma once

#include <expected>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kube/types.h"

namespace pilotlight::cli {

/// Local mode pulls no image; a Function without one gets this.
inline constexpr const char* kLocalImage = "local";

/// The *.yaml and *.yml files of these files and folders, recursively and sorted; hidden folders and node_modules are
/// skipped. A path that does not exist is an error.
std::expected<std::vector<std::filesystem::path>, std::string> findManifestFiles(const std::vector<std::filesystem::path>& paths);
/// The folders in which files could come and go: each given folder with those in it, and the folder of each given file.
std::vector<std::filesystem::path> manifestFolders(const std::vector<std::filesystem::path>& paths);
bool isManifestName(const std::string& fileName);

struct ManifestFile {
  std::vector<nlohmann::json> objects;  ///< Secrets and ConfigMaps before Functions; each with a namespace; empty if wrong
  std::vector<std::string> errors;      ///< "file:line: field: what is allowed"
};

/// `local`: image may be left out, and Functions are told their folder and the revision of their code.
ManifestFile readManifestFile(const std::filesystem::path& file, bool local, const std::string& defaultNamespace);
ManifestFile readManifestText(const std::string& name, const std::string& text, const std::filesystem::path& folder, bool local,
                              const std::string& defaultNamespace);

/// Paths in `folder` that the Function's command names: existing ones or not (not built yet).
std::vector<std::filesystem::path> handlerPaths(const nlohmann::json& function, const std::filesystem::path& folder);
/// Changes with the content of the command's own files; empty when none exists.
std::string codeRevision(const nlohmann::json& function, const std::filesystem::path& folder);

/// The resource of an object that readManifestFile() returned.
const kube::Resource& resourceOf(const nlohmann::json& object);

}  // namespace pilotlight::cli
