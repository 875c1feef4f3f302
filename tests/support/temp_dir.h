// Folders and files of a test.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::test {

/// A new folder that goes with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Makes the folders on the way; a reader sees the old or the new file, never a part.
void writeFile(const std::filesystem::path& path, std::string_view content);
std::string readFile(const std::filesystem::path& path);  ///< empty when there is none
std::vector<std::string> readLines(const std::filesystem::path& path);

}  // namespace pilotlight::test
