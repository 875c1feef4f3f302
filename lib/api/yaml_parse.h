// YAML text -> JSON with the line of every value. Bounded in depth, nodes and bytes after anchors are resolved, so that
// no file can take more than a few megabytes. Internal to lib/api. Thread-safety: pure functions.
#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pilotlight::api {

struct YamlEntry;

struct YamlNode {
  enum class Type { scalar, sequence, map } type = Type::scalar;
  int line = 0;                    ///< from 1; of an entry in a map: the key's line
  nlohmann::json scalar;           ///< typed by the YAML 1.2 core schema
  std::vector<YamlNode> items;     ///< sequence
  std::vector<YamlEntry> entries;  ///< map, in the file's order
  std::size_t nodes = 1;           ///< of this tree, itself included
  std::size_t bytes = 0;           ///< of the keys and scalars in it

  int depth = 1;  ///< levels of this tree

  const YamlNode* find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  YamlNode value;
};

struct YamlError {
  int line = 0;  ///< from 1; 0: the file as a whole
  std::string message;
};

inline constexpr std::size_t kMaxYamlBytes = 1 << 20;
inline constexpr std::size_t kMaxYamlNodes = 100'000;
inline constexpr std::size_t kMaxExpandedBytes = 4 << 20;
inline constexpr std::size_t kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxDocuments = 4096;

/// All documents that are not empty, or the first error.
std::expected<std::vector<YamlNode>, YamlError> parseYaml(std::string_view text);

nlohmann::json toJson(const YamlNode& node);

/// The line of the field that `path` ("spec.env[2].name") names, or of its nearest parent that is there.
int lineOf(const YamlNode& root, std::string_view path);

}  // namespace pilotlight::api
