#include "kube/rest_json.h"

#include <nlohmann/json.hpp>

namespace pilotlight::kube {

std::expected<Json, std::string> parseWithoutManagedFields(std::string_view text, int depth) {
  // A member's name is reported with the depth of its value: that of a member of an object's metadata is 2.
  const int wanted = depth + 2;
  bool inMetadata = false;
  const auto keep = [&inMetadata, wanted](int at, Json::parse_event_t event, Json& parsed) {
    if (event != Json::parse_event_t::key) return true;
    if (at == wanted - 1) inMetadata = parsed == "metadata";
    return at != wanted || !inMetadata || parsed != "managedFields";
  };
  Json json = Json::parse(text, keep, false);
  if (!json.is_object()) return std::unexpected("the answer is not a JSON object");
  return json;
}

std::expected<ObjectList, std::string> parseList(std::string_view text, const Resource& resource) {
  auto json = parseWithoutManagedFields(text, 2);
  if (!json) return std::unexpected(json.error());
  ObjectList list;
  const auto items = json->find("items");
  if (items == json->end() || !(items->is_array() || items->is_null())) return std::unexpected("the answer is no list");
  list.items.reserve(items->size());
  for (Json& item : *items) {
    if (!item.is_object()) return std::unexpected("the answer has an item that is no object");
    item.emplace("apiVersion", resource.apiVersion());
    item.emplace("kind", resource.kind);
    list.items.emplace_back(std::move(item));
  }
  json->erase("items");
  const Object head(*std::move(json));
  list.resourceVersion = head.stringAt("/metadata/resourceVersion");
  list.continue_ = head.stringAt("/metadata/continue");
  return list;
}

}  // namespace pilotlight::kube
