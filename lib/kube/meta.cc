#include "kube/meta.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace pilotlight::kube {

namespace {

constexpr std::array kSystemFields{
    "uid",           "resourceVersion", "generation", "creationTimestamp", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
    "managedFields", "clusterName"};

bool lowerOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool isLabel(std::string_view text) {
  return !text.empty() && lowerOrDigit(text.front()) && lowerOrDigit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return lowerOrDigit(c) || c == '-'; });
}

bool isSubdomain(std::string_view text) {
  if (text.size() > 253) return false;
  while (true) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!isLabel(text.substr(0, dot))) return false;
    if (dot == text.size()) return true;
    text.remove_prefix(dot + 1);
  }
}

bool isStringMap(const Json& meta, const char* name) {
  const auto found = meta.find(name);
  if (found == meta.end() || found->is_null()) return true;
  return found->is_object() && std::ranges::all_of(*found, [](const Json& value) { return value.is_string() || value.is_null(); });
}

template <class Check>
bool isListOf(const Json& meta, const char* name, Check check) {
  const auto found = meta.find(name);
  if (found == meta.end() || found->is_null()) return true;
  return found->is_array() && std::ranges::all_of(*found, check);
}

bool isOwner(const Json& owner) {
  return owner.is_object() && std::ranges::all_of(std::array{"apiVersion", "kind", "name", "uid"}, [&owner](const char* name) {
           const auto found = owner.find(name);
           return found != owner.end() && found->is_string();
         });
}

std::optional<std::string> metaProblem(const Json& meta) {
  for (const char* name : {"name", "namespace", "generateName", "uid", "resourceVersion"}) {
    const auto found = meta.find(name);
    if (found != meta.end() && !found->is_string() && !found->is_null()) return std::string("metadata.") + name + ": must be a string";
  }
  for (const char* name : {"labels", "annotations"}) {
    if (!isStringMap(meta, name)) return std::string("metadata.") + name + ": must be a map of strings";
  }
  if (!isListOf(meta, "finalizers", [](const Json& entry) { return entry.is_string(); })) return "metadata.finalizers: must be strings";
  if (!isListOf(meta, "ownerReferences", isOwner)) return "metadata.ownerReferences: each needs apiVersion, kind, name, uid";
  return std::nullopt;
}

}  // namespace

const Json& metaOf(const Json& object) {
  static const Json none = Json::object();
  const auto found = object.find("metadata");
  return found != object.end() && found->is_object() ? *found : none;
}

const std::string& metaString(const Json& object, std::string_view field) {
  static const std::string none;
  const Json& meta = metaOf(object);
  const auto found = meta.find(field);
  return found != meta.end() && found->is_string() ? found->get_ref<const std::string&>() : none;
}

std::int64_t metaInt(const Json& object, std::string_view field) {
  const Json& meta = metaOf(object);
  const auto found = meta.find(field);
  return found != meta.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool hasFinalizers(const Json& object) {
  const Json& meta = metaOf(object);
  const auto found = meta.find("finalizers");
  return found != meta.end() && !found->empty();
}

std::optional<std::string> nameProblem(const Resource& resource, std::string_view name) {
  if (resource == resources::services) {
    if (name.size() <= 63 && isLabel(name) && !(name.front() >= '0' && name.front() <= '9')) return std::nullopt;
    return "metadata.name: \"" + std::string(name) +
           "\" is not allowed: at most 63 lower-case letters, digits and '-', starting with a letter, ending with a letter or digit";
  }
  if (isSubdomain(name)) return std::nullopt;
  return "metadata.name: \"" + std::string(name) +
         "\" is not allowed: a lower-case RFC 1123 subdomain has at most 253 letters, digits, '-' and '.', and starts and ends with a "
         "letter or digit";
}

std::optional<std::string> shapeProblem(const Resource& resource, const Json& object) {
  if (!object.is_object()) return "the object must be a map";
  const auto is = [&object](const char* field, const std::string& expected) {
    const auto found = object.find(field);
    return found != object.end() && *found == expected;
  };
  if (!is("apiVersion", resource.apiVersion())) return "apiVersion: must be " + resource.apiVersion();
  if (!is("kind", resource.kind)) return "kind: must be " + resource.kind;
  const auto meta = object.find("metadata");
  if (meta == object.end() || !meta->is_object()) return "metadata: required";
  return metaProblem(*meta);
}

void keepSystemFields(Json& object, const Json& live) {
  Json& meta = object["metadata"];
  const Json& from = metaOf(live);
  const auto keep = [&](const char* field) {
    if (const auto found = from.find(field); found != from.end()) {
      meta[field] = *found;
    } else {
      meta.erase(field);
    }
  };
  std::ranges::for_each(kSystemFields, keep);
  for (const char* field : {"name", "namespace", "generateName"}) keep(field);
}

void dropSystemFields(Json& object) {
  for (const char* field : {"apiVersion", "kind"}) object.erase(field);
  Json& meta = object["metadata"];
  for (const char* field : kSystemFields) meta.erase(field);
  for (const char* field : {"name", "namespace", "generateName"}) meta.erase(field);
  if (meta.empty()) object.erase("metadata");
}

void dropNulls(Json& value) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      if (it->is_null()) {
        it = value.erase(it);
      } else {
        dropNulls(*it++);
      }
    }
  } else if (value.is_array()) {
    for (Json& item : value) dropNulls(item);
  }
}

}  // namespace pilotlight::kube
