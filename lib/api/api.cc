#include "api/api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/codec.h"
#include "api/formats.h"
#include "api/kinds.h"

namespace pilotlight::api {
namespace {

/// `object` is one of the root structs. Parts that people write are strict, those that machines share are lenient.
void readParts(const KindInfo& kind, const Json& json, void* object, FieldErrors& errors) {
  for (const Field& field : kind.object->fields) {
    auto it = json.find(field.name);
    Path path{nullptr, field.name};
    if (it == json.end()) {
      if (field.options.required) errors.push_back({path.toString(), "required"});
      continue;
    }
    auto strictness = field.name == "spec" ? Strictness::strict : Strictness::types;
    readStruct(*field.type->object, *it, field.member(object), path, strictness, errors);
  }
}

void checkHeader(const KindInfo& kind, const Json& json, FieldErrors& errors) {
  auto must = [&](const char* field, std::string_view value) {
    auto it = json.find(field);
    if (it == json.end()) return errors.push_back({field, "required: must be " + std::string(value)});
    const auto* text = it->get_ptr<const std::string*>();
    if (!text || *text != value) errors.push_back({field, "must be " + std::string(value)});
  };
  must("apiVersion", kApiVersion);
  must("kind", kind.kind);
  std::vector<std::string_view> known{"apiVersion", "kind"};
  for (const Field& field : kind.object->fields) known.push_back(field.name);
  for (const auto& [key, unused] : json.items()) {
    if (std::ranges::find(known, key) == known.end()) errors.push_back({key, unknownField(key, known)});
  }
}

void checkName(const KindInfo& kind, const std::string& name, FieldErrors& errors) {
  if (name.empty()) {
    errors.push_back({"metadata.name", "required"});
  } else if (name.size() > kind.maxName || !isDnsLabel(name)) {
    errors.push_back({"metadata.name", "must be lower-case letters, digits and '-', with a letter first and no '-' last, at most " +
                                           std::to_string(kind.maxName) + " characters"});
  }
}

template <class T>
std::expected<T, FieldErrors> readObject(const KindInfo& kind, const Json& json) {
  if (!json.is_object()) return std::unexpected(FieldErrors{{"", "must be an object"}});
  T object;
  FieldErrors errors;
  checkHeader(kind, json, errors);
  readParts(kind, json, &object, errors);
  if (auto metadata = json.find("metadata"); metadata != json.end() && metadata->is_object()) checkName(kind, object.metadata.name, errors);
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return object;
}

template <class T>
std::expected<Json, FieldErrors> admitAs(const KindInfo& kind, const Json& json) {
  auto read = readObject<T>(kind, json);
  if (!read) return std::unexpected(std::move(read.error()));
  Json admitted = json;
  writeDefaults(*part(kind, "spec").type->object, admitted["spec"]);
  return admitted;
}

Json writeObject(const KindInfo& kind, const void* object) {
  Json json = {{"apiVersion", kApiVersion}, {"kind", std::string(kind.kind)}};
  for (const Field& field : kind.object->fields) {
    const void* value = field.in(object);
    Json written = writeStruct(*field.type->object, value);
    // A status that nobody wrote yet is not there at all.
    if (field.name == "status" && written == writeStruct(*field.type->object, field.in(kind.object->defaults()))) continue;
    json[std::string(field.name)] = std::move(written);
  }
  return json;
}

}  // namespace

std::string toString(const FieldErrors& errors) {
  std::string text;
  for (const FieldError& error : errors) {
    if (!text.empty()) text += "; ";
    text += error.path.empty() ? error.message : error.path + ": " + error.message;
  }
  return text;
}

std::expected<Function, FieldErrors> readFunction(const Json& object) {
  return readObject<Function>(functionKind(), object);
}
std::expected<FunctionVersion, FieldErrors> readFunctionVersion(const Json& object) {
  return readObject<FunctionVersion>(functionVersionKind(), object);
}
std::expected<FunctionRoute, FieldErrors> readFunctionRoute(const Json& object) {
  return readObject<FunctionRoute>(functionRouteKind(), object);
}

Json write(const Function& function) {
  return writeObject(functionKind(), &function);
}
Json write(const FunctionVersion& version) {
  return writeObject(functionVersionKind(), &version);
}
Json write(const FunctionRoute& route) {
  return writeObject(functionRouteKind(), &route);
}
Json write(const Condition& condition) {
  return writeStruct(conditionStruct(), &condition);
}
Json writeSpec(const FunctionSpec& spec) {
  return writeStruct(*part(functionKind(), "spec").type->object, &spec);
}
Json writeStatus(const FunctionStatus& status) {
  return writeStruct(*part(functionKind(), "status").type->object, &status);
}
Json writeStatus(const FunctionRouteStatus& status) {
  return writeStruct(*part(functionRouteKind(), "status").type->object, &status);
}

std::expected<Json, FieldErrors> admit(const Json& object) {
  if (!object.is_object()) return std::unexpected(FieldErrors{{"", "must be an object"}});
  auto text = [&](const char* field) -> std::string {
    auto it = object.find(field);
    return it != object.end() && it->is_string() ? it->get<std::string>() : "";
  };
  const KindInfo* kind = findKind(text("kind"));
  // Another group may have a Function of its own; a wrong version of our group is caught by the reader.
  if (!kind || !text("apiVersion").starts_with(std::string(kGroup) + "/")) return object;
  if (kind == &functionKind()) return admitAs<Function>(*kind, object);
  if (kind == &functionVersionKind()) return admitAs<FunctionVersion>(*kind, object);
  return admitAs<FunctionRoute>(*kind, object);
}

}  // namespace pilotlight::api
