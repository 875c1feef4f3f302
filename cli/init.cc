#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <ostream>

#include "cli/commands.h"
#include "cli/templates.h"

namespace pilotlight::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPlaceholder = "{{name}}";
/// A version's name is its Function's and a number of five digits, within a DNS label.
constexpr std::size_t kMaxName = 52;

bool validName(const std::string& name) {
  const auto letterOrDigit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > kMaxName || name.front() < 'a' || name.front() > 'z' || !letterOrDigit(name.back())) return false;
  for (const char c : name) {
    if (!letterOrDigit(c) && c != '-') return false;
  }
  return true;
}

std::string filled(std::string_view content, const std::string& name) {
  std::string text(content);
  for (auto at = text.find(kPlaceholder); at != std::string::npos; at = text.find(kPlaceholder, at + name.size())) {
    text.replace(at, kPlaceholder.size(), name);
  }
  return text;
}

std::expected<void, std::string> writeFile(const fs::path& path, const std::string& content) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  if (error || !file) return std::unexpected(fmt::format("cannot write {}", path.string()));
  return {};
}

}  // namespace

int init(Context& context, const InitOptions& options) {
  if (!validName(options.name)) {
    return fail(
        context,
        fmt::format("\"{}\" is no name for a function: a lower-case letter, then letters, digits and '-', at most {}, not ending in '-'",
                    options.name, kMaxName));
  }
  const fs::path folder = options.folder.empty() ? fs::path(options.name) : fs::path(options.folder);
  std::error_code error;
  if (fs::exists(folder, error) && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))) {
    return fail(context, fmt::format("{} exists and is not an empty folder", folder.string()));
  }
  const std::string prefix = options.kind + "/";
  for (const auto& file : templateFiles()) {
    if (!file.path.starts_with(prefix)) continue;
    const auto done = writeFile(folder / file.path.substr(prefix.size()), filled(file.content, options.name));
    if (!done) return fail(context, done.error());
  }
  context.out << fmt::format("Made {} ({}). Next:\n  cd {}{}\n  pilotlight local -f .\n", folder.string(), options.kind, folder.string(),
                             options.kind == "cpp" ? " && make" : "");
  return 0;
}

}  // namespace pilotlight::cli
