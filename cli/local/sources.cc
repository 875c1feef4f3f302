#include "cli/local/sources.h"

#include "cli/local/json_read.h"
#include "kube/base64.h"

namespace pilotlight::local {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;  // Kubernetes' own bound for these objects

/// Adds the members of one map of an object. False: one is no text or, when `encoded`, no base64; `key` names it.
bool addMembers(const kube::Json& object, const char* map, bool encoded, SourceData& data, std::string& key) {
  const kube::Json* members = member(object, map);
  if (!members || !members->is_object()) return true;
  for (const auto& [name, value] : members->items()) {
    key = name;
    if (!value.is_string()) return false;
    auto content = encoded ? kube::decodeBase64(value.get_ref<const std::string&>()) : std::optional(value.get<std::string>());
    if (!content) return false;
    data[name] = std::move(*content);
  }
  return true;
}

}  // namespace

std::string toString(const SourceName& source) {
  return std::string(source.kind == SourceKind::secret ? "secret" : "configmap") + " \"" + source.key.name + "\"";
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
