#include "cli/target.h"

#include <fmt/format.h>

#include "cli/printers.h"

namespace pilotlight::cli {

namespace {

std::expected<kube::Resource, std::string> resource(const std::string& word) {
  const auto* found = resourceByWord(word);
  if (found == nullptr) return std::unexpected(fmt::format("no resource type \"{}\"; known are {}", word, resourceWords()));
  return *found;
}

}  // namespace

std::expected<std::vector<Target>, std::string> parseTargets(const std::vector<std::string>& words) {
  std::vector<Target> targets;
  if (words.empty()) return std::unexpected("what? For example fn/NAME");
  if (words.front().find('/') == std::string::npos) {
    const auto type = resource(words.front());
    if (!type) return std::unexpected(type.error());
    if (words.size() == 1) targets.push_back({*type, ""});
    for (std::size_t i = 1; i < words.size(); ++i) targets.push_back({*type, words[i]});
    return targets;
  }
  for (const auto& word : words) {
    const auto slash = word.find('/');
    if (slash == std::string::npos || slash + 1 == word.size()) return std::unexpected(fmt::format("expected TYPE/NAME, got \"{}\"", word));
    const auto type = resource(word.substr(0, slash));
    if (!type) return std::unexpected(type.error());
    targets.push_back({*type, word.substr(slash + 1)});
  }
  return targets;
}

}  // namespace pilotlight::cli
