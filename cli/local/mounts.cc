#include "cli/local/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

#include "net/socket.h"

namespace pilotlight::local {

namespace fs = std::filesystem;

namespace {

constexpr const char* kData = "..data";
constexpr const char* kDataNew = "..data_tmp";

std::unexpected<std::string> failed(const char* what, const fs::path& path) {
  return std::unexpected(std::string(what) + " " + path.string() + ": " + std::strerror(errno));
}

std::expected<void, std::string> writeFile(const fs::path& path, std::string_view content, mode_t mode) {
  const net::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return failed("write", path);
  while (!content.empty()) {
    const ssize_t written = write(fd.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fchmod(fd.get(), mode) != 0) return failed("set the mode of", path);  // whatever the umask
  return {};
}

/// A name that no earlier set of this folder has.
std::string setName() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count() % 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "..%04d_%02d_%02d_%02d_%02d_%02d.%09lld", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<long long>(nanos));
  return text;
}

/// The set that ..data names; empty when there is none, or it is not one of ours.
std::string currentSet(const fs::path& folder) {
  std::error_code error;
  const fs::path target = fs::read_symlink(folder / kData, error);
  if (error || target.has_parent_path() || !target.string().starts_with("..") || target == "..") return {};
  return target.string();
}

bool holds(const fs::path& set, const SourceData& data) {
  std::error_code error;
  std::size_t files = 0;
  for (fs::directory_iterator entry(set, error), end; !error && entry != end; entry.increment(error)) {
    const auto wanted = data.find(entry->path().filename().string());
    if (wanted == data.end()) return false;
    std::ifstream file(entry->path(), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(file), {}};
    if (!file.good() && !file.eof()) return false;
    if (content != wanted->second) return false;
    ++files;
  }
  return !error && files == data.size();
}

std::expected<void, std::string> writeSet(const fs::path& set, const SourceData& data, mode_t mode) {
  if (mkdir(set.c_str(), 0700) != 0) return failed("make folder", set);
  for (const auto& [key, content] : data)
    if (auto written = writeFile(set / key, content, mode); !written) return written;
  return {};
}

std::expected<void, std::string> linkKeys(const fs::path& folder, const SourceData& data) {
  for (const auto& [key, content] : data) {
    const fs::path link = folder / key, target = fs::path(kData) / key;
    if (symlink(target.c_str(), link.c_str()) == 0) continue;
    std::error_code error;
    if (errno != EEXIST || fs::read_symlink(link, error) != target) return failed("link", link);
  }
  return {};
}

/// What is left of earlier sets: their folders, an unfinished swap, links of keys that are gone.
void sweep(const fs::path& folder, const std::string& set, const SourceData& data) {
  std::error_code error;
  std::vector<fs::path> old;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool ourLink = fs::read_symlink(entry->path(), error).parent_path() == kData;
    error.clear();
    if (ourLink ? !data.contains(name) : name.starts_with("..") && name != kData && name != set) old.push_back(entry->path());
  }
  for (const fs::path& path : old) removeTree(path);
}

}  // namespace

bool validKey(std::string_view key) {
  if (key.empty() || key.size() > 253 || key == "." || key.starts_with("..")) return false;
  return std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

std::expected<fs::path, std::string> mountFolder(const fs::path& root, const std::string& path) {
  if (path.find('\0') != std::string::npos) return std::unexpected("mount path holds a NUL byte");
  const fs::path wanted(path);
  if (!wanted.is_absolute()) return std::unexpected("mount path '" + path + "' must be absolute");
  for (const fs::path& part : wanted)
    if (part.string().starts_with("..")) return std::unexpected("mount path '" + path + "' must not hold parts that start with '..'");
  fs::path inside = wanted.lexically_normal().relative_path();
  if (!inside.has_filename()) inside = inside.parent_path();
  if (inside.empty() || inside == ".") return std::unexpected("mount path '" + path + "' must not be the root");
  return root / inside;
}

std::expected<void, std::string> makeFolders(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0700) == 0) return {};
  if (errno == ENOENT && folder.has_parent_path() && folder.parent_path() != folder) {
    if (auto made = makeFolders(folder.parent_path()); !made) return made;
    if (mkdir(folder.c_str(), 0700) == 0) return {};
  }
  if (errno != EEXIST) return failed("make folder", folder);
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  errno = ENOTDIR;
  return failed("make folder", folder);
}

std::expected<bool, std::string> writeMount(const fs::path& folder, const SourceData& data, mode_t mode) {
  for (const auto& [key, content] : data)
    if (!validKey(key))
      return std::unexpected("key '" + key + "' can't be a file name: use letters, digits, '-', '_', '.'; not starting with '..'");
  if (auto made = makeFolders(folder); !made) return std::unexpected(made.error());
  const std::string before = currentSet(folder);
  if (!before.empty() && holds(folder / before, data)) return false;
  const std::string set = setName();
  if (auto written = writeSet(folder / set, data, mode); !written) {
    removeTree(folder / set);
    return std::unexpected(written.error());
  }
  unlink((folder / kDataNew).c_str());
  if (symlink(set.c_str(), (folder / kDataNew).c_str()) != 0) return failed("link", folder / kDataNew);
  if (rename((folder / kDataNew).c_str(), (folder / kData).c_str()) != 0) return failed("swap", folder / kData);
  auto linked = linkKeys(folder, data);
  sweep(folder, set, data);
  if (!linked) return std::unexpected(linked.error());
  return true;
}

void removeTree(const fs::path& folder) noexcept {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

}  // namespace pilotlight::local
