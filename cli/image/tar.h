// tar archives (POSIX ustar and pax, GNU's long names), as files of their own. Nothing is ever unpacked to disk.
//
// Refused with a message: what is cut off, damaged headers, absolute names and names with "..", a name twice, sparse files,
// more than kMaxEntries entries.
// Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace pilotlight::cli {

class TarFile {
 public:
  static constexpr std::size_t kMaxEntries = 65536;

  struct Entry {
    std::uint64_t offset = 0;  ///< of its content in the archive
    std::uint64_t size = 0;
    bool regular = false;  ///< false: a folder, a link, a device
  };

  /// Reads all headers. Errors say what is wrong with which entry.
  static std::expected<TarFile, std::string> open(const std::filesystem::path& path);

  /// nullptr: there is none with this name that is a regular file.
  const Entry* find(const std::string& name) const;
  /// In parts, in order; `take` may refuse to go on with false.
  std::expected<void, std::string> read(const Entry& entry, const std::function<bool(std::string_view)>& take);
  std::expected<std::string, std::string> readAll(const std::string& name, std::size_t limit);

 private:
  std::ifstream file_;
  std::map<std::string, Entry> entries_;
};

/// Writes ustar entries with user and group 0 and time 0: the same content gives the same bytes.
class TarWriter {
 public:
  explicit TarWriter(std::function<void(std::string_view)> out) : out_(std::move(out)) {}

  void folder(const std::string& name, int mode = 0755);
  void file(const std::string& name, std::string_view content, int mode = 0644);
  /// In parts, which must come to `size` bytes, then end().
  void begin(const std::string& name, std::uint64_t size, int mode = 0644);
  void part(std::string_view content);
  void end();
  /// After the last entry.
  void finish();

 private:
  void header(const std::string& name, std::uint64_t size, int mode, char type);
  std::function<void(std::string_view)> out_;
  std::uint64_t written_ = 0;  // of the entry
};

}  // namespace pilotlight::cli
