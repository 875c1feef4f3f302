#include "callhome/key_files.h"

#include <filesystem>
#include <fstream>
#include <random>

namespace pilotlight::callhome {

namespace {

std::expected<std::string, std::string> readKey(const std::filesystem::path& path) {
  std::string key(kMostKey + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(key.data(), static_cast<std::streamsize>(key.size()));
  if (file.bad() || !file.eof()) return std::unexpected(path.string() + ": it can't be read, or is longer than a key");
  key.resize(static_cast<std::size_t>(file.gcount()));
  key.erase(key.find_last_not_of(" \t\r\n") + 1);
  if (key.size() < kLeastKey) return std::unexpected(path.string() + ": a key has at least " + std::to_string(kLeastKey) + " bytes");
  return key;
}

}  // namespace

std::expected<std::vector<std::string>, std::string> readKeys(const std::string& folder) {
  const std::filesystem::path path(folder);
  auto current = readKey(path / "key");
  if (!current) return std::unexpected(current.error());
  std::vector<std::string> keys{std::move(*current)};
  std::error_code ignored;
  if (const auto size = std::filesystem::file_size(path / "previous", ignored); ignored || size == 0) return keys;
  auto previous = readKey(path / "previous");
  if (!previous) return std::unexpected(previous.error());
  keys.push_back(std::move(*previous));
  return keys;
}

std::string randomKey() {
  std::random_device random;
  std::string key;
  for (int i = 0; i < 8; ++i) {
    const unsigned int word = random();
    key.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return key;
}

}  // namespace pilotlight::callhome
