#include "cli/image/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace pilotlight::cli {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPart = 256 * 1024;
constexpr std::uint64_t kMaxLongName = 1U << 20;  // of a pax header or a long name

using Block = std::array<char, kBlock>;
using Failure = std::unexpected<std::string>;

// Where a header has its fields.
constexpr std::size_t kName = 0, kMode = 100, kUid = 108, kGid = 116, kSize = 124, kTime = 136, kSum = 148, kType = 156, kMagic = 257,
                      kPrefix = 345;

std::string textOf(const Block& block, std::size_t at, std::size_t length) {
  const char* begin = block.data() + at;
  return {begin, std::find(begin, begin + length, '\0')};
}

/// Octal digits, or (GNU) a big-endian number behind a set first bit; nullopt: neither, or above 2^62.
std::optional<std::uint64_t> numberOf(const Block& block, std::size_t at, std::size_t length) {
  std::uint64_t value = 0;
  if ((static_cast<unsigned char>(block[at]) & 0x80U) != 0) {
    for (std::size_t i = 0; i < length; ++i) {
      const unsigned byte = static_cast<unsigned char>(block[at + i]) & (i == 0 ? 0x7FU : 0xFFU);
      if (value >> 54 != 0) return std::nullopt;
      value = value << 8 | byte;
    }
    return value;
  }
  for (const char c : textOf(block, at, length)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7' || value >> 59 != 0) return std::nullopt;
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::uint64_t sumOf(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += i >= kSum && i < kSum + 8 ? ' ' : static_cast<unsigned char>(block[i]);
  return sum;
}

/// "./a/b/" -> "a/b". The error says why a name is refused.
std::expected<std::string, std::string> cleanName(const std::string& raw) {
  if (raw.starts_with('/')) return Failure(fmt::format("entry \"{}\": an absolute name", raw));
  std::string clean;
  for (std::size_t at = 0; at < raw.size();) {
    const auto end = std::min(raw.find('/', at), raw.size());
    const auto part = raw.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return Failure(fmt::format("entry \"{}\": a name that leads out of the archive", raw));
    clean += (clean.empty() ? "" : "/") + part;
  }
  return clean;
}

/// What a pax header says of the next entry.
struct Extension {
  std::optional<std::string> name;
  std::optional<std::uint64_t> size;
  bool sparse = false;
};

std::expected<void, std::string> readPax(std::string_view text, Extension& out) {
  while (!text.empty()) {
    const auto blank = text.find(' ');
    std::size_t length = 0;
    for (const char c : text.substr(0, blank)) {
      if (c < '0' || c > '9' || length > kMaxLongName) return Failure("a damaged pax header");
      length = length * 10 + static_cast<std::size_t>(c - '0');
    }
    if (blank == std::string_view::npos || length <= blank + 1 || length > text.size() || text[length - 1] != '\n')
      return Failure("a damaged pax header");
    const auto record = text.substr(blank + 1, length - blank - 2);
    text.remove_prefix(length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) return Failure("a damaged pax header");
    const auto key = record.substr(0, equals);
    const std::string value(record.substr(equals + 1));
    if (key == "path") out.name = value;
    if (key.starts_with("GNU.sparse")) out.sparse = true;
    if (key != "size") continue;
    if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string::npos)
      return Failure("a damaged pax header: size");
    out.size = std::stoull(value);
  }
  return {};
}

/// One header after the other.
class HeaderReader {
 public:
  HeaderReader(std::ifstream& file, std::uint64_t size) : file_(file), size_(size) {}

  struct Found {
    std::string name;
    TarFile::Entry entry;
  };
  /// nullopt: the archive's end.
  std::expected<std::optional<Found>, std::string> next() {
    Extension extension;
    for (;;) {
      if (at_ == size_) return std::nullopt;
      Block block{};
      if (!readAt(block.data(), kBlock)) return Failure("it ends within a header: it is cut off");
      if (std::ranges::all_of(block, [](char c) { return c == '\0'; })) return std::nullopt;
      if (at_ == kBlock && block[0] == '\x1f' && block[1] == '\x8b') return Failure("it is gzipped: unpack it with gunzip first");
      if (numberOf(block, kSum, 8) != sumOf(block)) return Failure("not a tar archive, or a damaged one (a header's checksum is wrong)");
      const char type = block[kType];
      const auto size = extension.size && type != 'x' && type != 'L' ? extension.size : numberOf(block, kSize, 12);
      const std::string name = extension.name.value_or(nameOf(block));
      if (!size || *size > size_ - at_)
        return Failure(fmt::format("entry \"{}\": it is cut off, or its size is wrong: {} bytes are left", name, size_ - at_));
      if (type == 'S' || extension.sparse) return Failure(fmt::format("entry \"{}\": sparse files are not supported", name));
      const TarFile::Entry entry{at_, *size, type == '0' || type == '\0' || type == '7'};
      const bool described = type == 'x' || type == 'L' || type == 'K' || type == 'g';
      if (described) {
        if (auto read = describe(type, entry, extension); !read) return Failure(read.error());
      }
      at_ += *size;
      at_ = std::min(size_, at_ + (kBlock - at_ % kBlock) % kBlock);
      if (!described) return Found{name, entry};
    }
  }

 private:
  bool readAt(char* to, std::size_t count) {
    if (size_ - at_ < count) return false;
    file_.seekg(static_cast<std::streamoff>(at_));
    at_ += count;
    return static_cast<bool>(file_.read(to, static_cast<std::streamsize>(count)));
  }

  static std::string nameOf(const Block& block) {
    const std::string prefix =
        textOf(block, kMagic, 6).starts_with("ustar") && block[kMagic + 5] == '\0' ? textOf(block, kPrefix, 155) : "";
    return prefix.empty() ? textOf(block, kName, 100) : prefix + "/" + textOf(block, kName, 100);
  }

  std::expected<void, std::string> describe(char type, const TarFile::Entry& entry, Extension& extension) {
    if (entry.size > kMaxLongName) return Failure(fmt::format("a header of {} bytes", entry.size));
    std::string text(entry.size, '\0');
    file_.seekg(static_cast<std::streamoff>(entry.offset));
    if (!file_.read(text.data(), static_cast<std::streamsize>(text.size()))) return Failure("it cannot be read");
    if (type == 'L') extension.name = text.substr(0, text.find('\0'));
    return type == 'x' ? readPax(text, extension) : std::expected<void, std::string>();
  }

  std::ifstream& file_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
};

}  // namespace

std::expected<TarFile, std::string> TarFile::open(const std::filesystem::path& path) {
  TarFile tar;
  const auto refuse = [&](const std::string& why) { return Failure(fmt::format("{}: {}", path.string(), why)); };
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return refuse(error.message());
  tar.file_.open(path, std::ios::binary);
  if (!tar.file_) return refuse("it cannot be read");
  HeaderReader reader(tar.file_, size);
  for (;;) {
    auto found = reader.next();
    if (!found) return refuse(found.error());
    if (!*found) return tar;
    auto name = cleanName((*found)->name);
    if (!name) return refuse(name.error());
    if (tar.entries_.size() >= kMaxEntries) return refuse(fmt::format("more than {} entries", kMaxEntries));
    const auto [known, fresh] = tar.entries_.emplace(*name, (*found)->entry);
    if (!fresh && (known->second.regular || (*found)->entry.regular)) return refuse(fmt::format("entry \"{}\" is there twice", *name));
  }
}

const TarFile::Entry* TarFile::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() || !found->second.regular ? nullptr : &found->second;
}

std::expected<void, std::string> TarFile::read(const Entry& entry, const std::function<bool(std::string_view)>& take) {
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(entry.offset));
  std::string buffer(kPart, '\0');
  for (std::uint64_t left = entry.size; left > 0;) {
    const auto count = std::min<std::uint64_t>(left, buffer.size());
    if (!file_.read(buffer.data(), static_cast<std::streamsize>(count))) return Failure("the archive cannot be read to its end");
    if (!take(std::string_view(buffer.data(), count))) return Failure("cannot write");
    left -= count;
  }
  return {};
}

std::expected<std::string, std::string> TarFile::readAll(const std::string& name, std::size_t limit) {
  const Entry* entry = find(name);
  if (entry == nullptr) return Failure(fmt::format("there is no {} in it", name));
  if (entry->size > limit) return Failure(fmt::format("{} has {} bytes; at most {} are read", name, entry->size, limit));
  std::string text;
  auto done = read(*entry, [&](std::string_view part) {
    text += part;
    return true;
  });
  if (!done) return Failure(done.error());
  return text;
}

void TarWriter::header(const std::string& name, std::uint64_t size, int mode, char type) {
  Block block{};
  const auto put = [&](std::size_t at, const std::string& text) { std::memcpy(block.data() + at, text.data(), text.size()); };
  put(kName, name);  // ours are short: under 100 bytes
  put(kMode, fmt::format("{:07o}", mode));
  put(kUid, "0000000");
  put(kGid, "0000000");
  if (size < 1ULL << 33) {
    put(kSize, fmt::format("{:011o}", size));
  } else {
    block[kSize] = '\x80';
    for (std::size_t i = 0; i < 8; ++i) block[kSize + 11 - i] = static_cast<char>(size >> (8 * i) & 0xFFU);
  }
  put(kTime, "00000000000");
  block[kType] = type;
  put(kMagic, "ustar");
  put(kMagic + 6, "00");
  put(kSum, fmt::format("{:06o}", sumOf(block)));
  block[kSum + 7] = ' ';
  out_(std::string_view(block.data(), block.size()));
}

void TarWriter::folder(const std::string& name, int mode) {
  header(name + "/", 0, mode, '5');
}

void TarWriter::begin(const std::string& name, std::uint64_t size, int mode) {
  header(name, size, mode, '0');
  written_ = 0;
}

void TarWriter::part(std::string_view content) {
  out_(content);
  written_ += content.size();
}

void TarWriter::end() {
  out_(std::string((kBlock - written_ % kBlock) % kBlock, '\0'));
}

void TarWriter::file(const std::string& name, std::string_view content, int mode) {
  begin(name, content.size(), mode);
  part(content);
  end();
}

void TarWriter::finish() {
  out_(std::string(2 * kBlock, '\0'));
}

}  // namespace pilotlight::cli
