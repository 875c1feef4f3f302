#include "cli/local/sources.h"

#include <array>

#include "cli/local/json_read.h"

namespace pilotlight::local {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;  // Kubernetes' own bound for these objects

std::array<int, 256> makeValues() {
  std::array<int, 256> values{};
  values.fill(-1);
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < alphabet.size(); ++i) values[static_cast<unsigned char>(alphabet[i])] = static_cast<int>(i);
  return values;
}

/// Adds the members of one map of an object. False: one is no text or, when `encoded`, no base64; `key` names it.
bool addMembers(const kube::Json& object, const char* map, bool encoded, SourceData& data, std::string& key) {
  const kube::Json* members = member(object, map);
  if (!members || !members->is_object()) return true;
  for (const auto& [name, value] : members->items()) {
    key = name;
    if (!value.is_string()) return false;
    auto content = encoded ? decodeBase64(value.get_ref<const std::string&>()) : std::optional(value.get<std::string>());
    if (!content) return false;
    data[name] = std::move(*content);
  }
  return true;
}

}  // namespace

std::string toString(const SourceName& source) {
  return std::string(source.kind == SourceKind::secret ? "secret" : "configmap") + " \"" + source.key.name + "\"";
}

std::optional<std::string> decodeBase64(std::string_view text) {
  static const std::array<int, 256> values = makeValues();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  unsigned bits = 0, have = 0;
  std::size_t digits = 0, padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
    ++digits;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0 || padding > 0) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffff;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out.push_back(static_cast<char>(bits >> have & 0xff));
  }
  if (digits % 4 != 0 || padding > 2) return std::nullopt;
  return out;
}

std::expected<std::optional<SourceData>, std::string> readSource(kube::Client& client, const SourceName& source) {
  const bool secret = source.kind == SourceKind::secret;
  const auto object = client.get(secret ? kube::resources::secrets : kube::resources::configMaps, source.key);
  if (!object) {
    if (object.error().code == kube::ErrorCode::notFound) return std::nullopt;
    return std::unexpected(object.error().message);
  }
  SourceData data;
  std::string key;
  const kube::Json& json = object->json();
  const bool read = secret ? addMembers(json, "data", true, data, key) && addMembers(json, "stringData", false, data, key)
                           : addMembers(json, "data", false, data, key) && addMembers(json, "binaryData", true, data, key);
  if (!read) return std::unexpected("key " + key + " of " + toString(source) + " can't be read: it is not base64 text");
  std::size_t bytes = 0;
  for (const auto& [name, content] : data) bytes += name.size() + content.size();
  if (bytes > kMaxBytes) return std::unexpected(toString(source) + " is larger than 1 MiB");
  return data;
}

}  // namespace pilotlight::local
