#include "api/settings_file.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "api/api.h"
#include "api/codec.h"
#include "api/yaml_parse.h"

namespace pilotlight::api {

namespace {

class Reader {
 public:
  void file(const YamlNode& root, std::span<const SettingsTarget> targets);
  std::string errors() && { return std::move(errors_); }

 private:
  void section(const YamlNode& section, const SettingsTarget& target);
  void setting(const YamlNode& value, const Setting& setting, const std::string& path, void* options);
  void error(int line, std::string_view path, std::string_view message) {
    if (!errors_.empty()) errors_ += '\n';
    errors_.append("line ").append(std::to_string(line)).append(": ").append(path).append(": ").append(message);
  }
  std::string errors_;
};

/// An empty section, or an empty file, is none.
bool isNothing(const YamlNode& node) {
  return node.type == YamlNode::Type::scalar && node.scalar.is_null();
}

void Reader::file(const YamlNode& root, std::span<const SettingsTarget> targets) {
  if (isNothing(root)) return;
  std::vector<std::string_view> known;
  for (const SettingsTarget& target : targets) known.push_back(target.table.section);
  if (root.type != YamlNode::Type::map) return error(root.line, "file", "must be a map of sections");
  for (const YamlEntry& entry : root.entries) {
    const auto found = std::ranges::find(targets, entry.key, [](const SettingsTarget& target) { return target.table.section; });
    if (found == targets.end())
      error(entry.value.line, entry.key, unknownField(entry.key, known));
    else
      section(entry.value, *found);
  }
}

void Reader::section(const YamlNode& node, const SettingsTarget& target) {
  if (isNothing(node)) return;
  const std::string name(target.table.section);
  if (node.type != YamlNode::Type::map) return error(node.line, name, "must be a map of settings");
  std::vector<std::string_view> known;
  for (const Setting& row : target.table.rows) known.push_back(row.name);
  for (const YamlEntry& entry : node.entries) {
    const std::string path = name + "." + entry.key;
    const auto row = std::ranges::find(target.table.rows, entry.key, &Setting::name);
    if (row == target.table.rows.end())
      error(entry.value.line, path, unknownField(entry.key, known));
    else
      setting(entry.value, *row, path, target.options);
  }
}

/// What is beyond 64 bits is beyond every bound.
std::int64_t wholeNumber(const Json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX ? INT64_MAX : value.get<std::int64_t>();
}

std::expected<std::int64_t, std::string> numberOf(SettingKind kind, const Json& value) {
  switch (kind) {
    case SettingKind::duration: {
      auto read = parseDuration(value.is_string() ? value.get_ref<const std::string&>() : "");
      if (!read) return std::unexpected(std::move(read.error()));
      return read->count();
    }
    case SettingKind::bytes: {
      if (value.is_number_integer()) return wholeNumber(value);
      auto read = parseBytes(value.is_string() ? value.get_ref<const std::string&>() : "");
      if (!read) return std::unexpected(std::move(read.error()));
      return read->value;
    }
    case SettingKind::count:
      if (value.is_number_integer()) return wholeNumber(value);
      return std::unexpected("must be a whole number");
    case SettingKind::flag:
      if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
      return std::unexpected("must be true or false");
  }
  std::unreachable();
}

void Reader::setting(const YamlNode& value, const Setting& setting, const std::string& path, void* options) {
  const auto number = numberOf(setting.kind, value.type == YamlNode::Type::scalar ? value.scalar : Json());
  if (!number) return error(value.line, path, number.error());
  if (*number < setting.low || *number > setting.high) {
    const std::string given = value.scalar.is_string() ? value.scalar.get<std::string>() : value.scalar.dump();
    return error(value.line, path,
                 "must be from " + formatSetting(setting, setting.low) + " to " + formatSetting(setting, setting.high) + ", not " + given);
  }
  setting.set(options, *number);
}

constexpr std::string_view kReferenceHead =
    "# Settings\n\n"
    "Times, sizes and counts of the gateway, the operator and the shims, in a YAML file that is read at the start:\n\n"
    "    pilotlight local --config FILE -f FOLDER\n\n"
    "    gateway:\n"
    "      headTimeout: 5s\n"
    "      pool: 2000\n"
    "    operator:\n"
    "      parkedLook: 10s\n"
    "    shim:\n"
    "      nativeBody: 16Mi\n\n"
    "What is not given has its default. An unknown name, a value of another type or one out of bounds ends the start with a message\n"
    "that names it. Durations are written as `250ms`, `30s` or `1m30s`, sizes as `64Ki` or `1Mi`. What is a constant instead, and\n"
    "why: [ADR 9](adr/0009-settings.md).\n\n"
    "Generated from `gateway/settings.cc`, `operator/settings.cc` and `runtime-shim/settings.cc`: change those and run `make crds`.\n";

std::string reference(const SettingsTable& table) {
  std::string text =
      "\n## " + std::string(table.section) + "\n" + std::string(table.doc) + "\n\n| Setting | Default | Bounds | |\n|---|---|---|---|\n";
  for (const Setting& row : table.rows) {
    const std::string value = formatSetting(row, row.get(table.defaults()));
    text.append("| `").append(row.name).append("` | ").append(value.empty() ? "" : "`" + value + "`").append(" | ");
    if (row.kind != SettingKind::flag) text.append(formatSetting(row, row.low)).append(" to ").append(formatSetting(row, row.high));
    text.append(" | ").append(row.doc).append(" |\n");
  }
  return text;
}

}  // namespace

std::expected<void, std::string> readSettings(std::string_view yaml, std::span<const SettingsTarget> targets) {
  const auto documents = parseYaml(yaml);
  if (!documents) return std::unexpected("line " + std::to_string(documents.error().line) + ": " + documents.error().message);
  if (documents->size() > 1) return std::unexpected("must be one YAML document");
  Reader reader;
  for (const YamlNode& root : *documents) reader.file(root, targets);
  std::string errors = std::move(reader).errors();
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return {};
}

std::string formatSetting(const Setting& setting, std::int64_t value) {
  if (value == kNotSet) return {};
  switch (setting.kind) {
    case SettingKind::duration:
      return formatDuration(Duration(value));
    case SettingKind::bytes:
      return formatBytes(Bytes{value});
    case SettingKind::count:
      return std::to_string(value);
    case SettingKind::flag:
      return value != 0 ? "true" : "false";
  }
  std::unreachable();
}

std::vector<std::pair<std::string, std::string>> settingsEnvironment(const SettingsTable& table, const void* options) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const Setting& row : table.rows)
    if (const std::int64_t value = row.get(options); value != row.get(table.defaults()))
      variables.emplace_back(variableOf(row), std::to_string(value));
  return variables;
}

std::string settingsReference(std::span<const SettingsTable* const> tables) {
  std::string text(kReferenceHead);
  for (const SettingsTable* table : tables) text += reference(*table);
  return text;
}

}  // namespace pilotlight::api
