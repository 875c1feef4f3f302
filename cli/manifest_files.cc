#include "cli/manifest_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "api/manifest.h"

namespace pilotlight::cli {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr std::size_t kMaxFolders = 8192;
constexpr std::uintmax_t kMaxFileBytes = 4U << 20;

bool skipped(const fs::path& folder) {
  const auto name = folder.filename().string();
  return name.starts_with('.') || name == "node_modules";
}

/// Calls `visit` for every entry below `folder`, in no order.
void walk(const fs::path& folder, const std::function<void(const fs::directory_entry&)>& visit) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error);
  std::size_t folders = 0;
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored) && (skipped(at->path()) || ++folders > kMaxFolders)) {
      at.disable_recursion_pending();
      continue;
    }
    visit(*at);
  }
}

/// FNV-1a, 64 bits: told apart are the builds of one developer, not an adversary's.
std::uint64_t hashFile(const fs::path& path, std::uint64_t hash) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> block(64 * 1024);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    for (std::streamsize i = 0; i < file.gcount(); ++i)
      hash = (hash ^ static_cast<unsigned char>(block[static_cast<std::size_t>(i)])) * 1099511628211ULL;
  }
  return hash;
}

void localize(Json& function, const fs::path& folder) {
  Json& annotations = function["metadata"]["annotations"];
  if (!annotations.is_object()) annotations = Json::object();
  annotations[api::kAnnotationWorkDir] = folder.string();
  if (const auto revision = codeRevision(function, folder); !revision.empty()) annotations[api::kAnnotationCodeRevision] = revision;
}

/// A default that is not in the file stays the API server's matter, so that `scale` can write it without a conflict.
void disown(Json& function) {
  Json& spec = function["spec"];
  if (spec.is_object() && spec.value("replicas", 0) == -1) spec.erase("replicas");
}

}  // namespace

bool isManifestName(const std::string& fileName) {
  return !fileName.starts_with('.') && (fileName.ends_with(".yaml") || fileName.ends_with(".yml"));
}

std::expected<std::vector<fs::path>, std::string> findManifestFiles(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const auto& given : paths) {
    std::error_code error;
    const fs::path path = fs::weakly_canonical(given, error);
    if (fs::is_directory(path, error)) {
      walk(path, [&](const fs::directory_entry& entry) {
        std::error_code ignored;
        if (isManifestName(entry.path().filename().string()) && entry.is_regular_file(ignored)) files.push_back(entry.path());
      });
    } else if (fs::exists(path, error)) {
      files.push_back(path);
    } else {
      return std::unexpected(fmt::format("{}: no such file or folder", given.string()));
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

std::vector<fs::path> manifestFolders(const std::vector<fs::path>& paths) {
  std::vector<fs::path> folders;
  for (const auto& given : paths) {
    std::error_code error;
    const fs::path path = fs::weakly_canonical(given, error);
    if (!fs::is_directory(path, error)) {
      folders.push_back(path.parent_path());
      continue;
    }
    folders.push_back(path);
    walk(path, [&](const fs::directory_entry& entry) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) folders.push_back(entry.path());
    });
  }
  return folders;
}

ManifestFile readManifestFile(const fs::path& path, bool local, const std::string& defaultNamespace) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return {{}, {fmt::format("{}: cannot be read", path.string())}};
  if (size > kMaxFileBytes) return {{}, {fmt::format("{}: larger than {} MiB", path.string(), kMaxFileBytes >> 20)}};
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return readManifestText(path.string(), text, fs::absolute(path).parent_path(), local, defaultNamespace);
}

ManifestFile readManifestText(const std::string& name, const std::string& text, const fs::path& folder, bool local,
                              const std::string& defaultNamespace) {
  ManifestFile result;
  const api::ManifestOptions options{local ? kLocalImage : ""};
  auto manifests = api::readManifests(name, text, options);
  if (!manifests) {
    for (const auto& error : manifests.error()) result.errors.push_back(error.toString());
    return result;
  }
  std::vector<Json> functions;
  for (auto& manifest : *manifests) {
    Json& object = manifest.object;
    if (object["metadata"].value("namespace", "").empty()) object["metadata"]["namespace"] = defaultNamespace;
    const bool function = object.value("kind", "") == "Function";
    if (function && local) localize(object, folder);
    if (function) disown(object);
    (function ? functions : result.objects).push_back(std::move(object));
  }
  std::move(functions.begin(), functions.end(), std::back_inserter(result.objects));
  return result;
}

std::vector<fs::path> handlerPaths(const Json& function, const fs::path& folder) {
  std::vector<fs::path> paths;
  const auto handler = function.contains("/spec/handler"_json_pointer) ? function.at("/spec/handler"_json_pointer) : Json::array();
  for (const auto& argument : handler) {
    if (!argument.is_string() || argument.get_ref<const std::string&>().empty()) continue;
    const fs::path path = (folder / argument.get<std::string>()).lexically_normal();
    const auto inside = path.lexically_relative(folder);
    std::error_code ignored;
    if (inside.empty() || inside == "." || *inside.begin() == ".." || fs::is_directory(path, ignored)) continue;
    paths.push_back(path);
  }
  return paths;
}

std::string codeRevision(const Json& function, const fs::path& folder) {
  std::uint64_t hash = 14695981039346656037ULL;
  bool any = false;
  for (const auto& path : handlerPaths(function, folder)) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) continue;
    any = true;
    hash = hashFile(path, hash);
  }
  return any ? fmt::format("{:016x}", hash) : "";
}

const kube::Resource& resourceOf(const Json& object) {
  const auto* resource = kube::resources::find(object.value("apiVersion", ""), object.value("kind", ""));
  if (resource == nullptr) std::abort();  // readManifests() lets known kinds through only
  return *resource;
}

}  // namespace pilotlight::cli
