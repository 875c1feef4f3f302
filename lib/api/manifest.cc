#include "api/manifest.h"

#include <algorithm>
#include <array>
#include <span>

#include "api/codec.h"
#include "api/formats.h"
#include "api/yaml_parse.h"

namespace pilotlight::api {
namespace {

constexpr const char* kAllowedKinds = "allowed: Function (apiVersion pilotlight.dev/v1alpha1), Secret and ConfigMap (apiVersion v1)";

std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto byte = [&](std::size_t k) { return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U; };
    unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    text += alphabet[group >> 18 & 63];
    text += alphabet[group >> 12 & 63];
    text += i + 1 < bytes.size() ? alphabet[group >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? alphabet[group & 63] : '=';
  }
  return text;
}

bool isBase64(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == std::string_view::npos;
}

/// Keys of Secrets and ConfigMaps become file names.
bool isDataKey(std::string_view key) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !key.empty() && key.size() <= 253 && key != "." && !key.starts_with("..") && std::ranges::all_of(key, allowed);
}

/// A map of strings (base64: of base64 strings) under `field`, when it is there.
void checkData(const Json& object, const char* field, bool encoded, FieldErrors& errors) {
  auto it = object.find(field);
  if (it == object.end() || it->is_null()) return;
  if (!it->is_object()) return errors.push_back({field, "must be a map of strings"});
  for (const auto& [key, value] : it->items()) {
    std::string path = std::string(field) + "[" + key + "]";
    if (!isDataKey(key)) errors.push_back({path, "the key must be letters, digits, '-', '_' and '.', at most 253 of them"});
    if (!value.is_string()) {
      errors.push_back({path, "must be a string: put it in quotes (got " + std::string(jsonTypeName(value)) + ")"});
    } else if (encoded && !isBase64(value.get_ref<const std::string&>())) {
      errors.push_back({path, "must be base64: put plain text under stringData"});
    }
  }
}

void checkStandard(const Json& object, std::span<const std::string_view> known, FieldErrors& errors) {
  for (const auto& [key, unused] : object.items()) {
    if (std::ranges::find(known, key) == known.end()) errors.push_back({key, unknownField(key, known)});
  }
  if (object.value("apiVersion", Json()) != "v1") errors.push_back({"apiVersion", "must be v1"});
  auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return errors.push_back({"metadata", "required"});
  for (const char* field : {"name", "namespace"}) {
    auto value = metadata->find(field);
    bool name = field == std::string_view("name");
    std::string path = std::string("metadata.") + field;
    if (value == metadata->end()) {
      if (name) errors.push_back({path, "required"});
    } else if (!value->is_string() || !isSubdomain(value->get_ref<const std::string&>())) {
      errors.push_back({path, std::string(formatInfo(Format::subdomain).allowed)});
    }
  }
  if (auto immutable = object.find("immutable"); immutable != object.end() && !immutable->is_boolean()) {
    errors.push_back({"immutable", "must be true or false"});
  }
}

std::expected<Json, FieldErrors> readSecret(Json object) {
  constexpr std::array<std::string_view, 7> known{"apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"};
  FieldErrors errors;
  checkStandard(object, known, errors);
  checkData(object, "data", true, errors);
  checkData(object, "stringData", false, errors);
  if (auto type = object.find("type"); type != object.end() && !type->is_string()) errors.push_back({"type", "must be a string"});
  if (!errors.empty()) return std::unexpected(std::move(errors));
  // As the API server does it: stringData wins over data and is never stored.
  if (auto plain = object.find("stringData"); plain != object.end()) {
    Json& data = object["data"];
    if (data.is_null()) data = Json::object();
    for (const auto& [key, value] : object["stringData"].items()) data[key] = base64(value.get_ref<const std::string&>());
    object.erase("stringData");
  }
  if (!object.contains("type")) object["type"] = "Opaque";
  return object;
}

std::expected<Json, FieldErrors> readConfigMap(Json object) {
  constexpr std::array<std::string_view, 6> known{"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"};
  FieldErrors errors;
  checkStandard(object, known, errors);
  checkData(object, "data", false, errors);
  checkData(object, "binaryData", true, errors);
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return object;
}

std::expected<Json, FieldErrors> readFunctionObject(Json object, const ManifestOptions& options) {
  auto spec = object.find("spec");
  bool fill = !options.imageWhenAbsent.empty() && spec != object.end() && spec->is_object() && !spec->contains("image");
  if (fill) (*spec)["image"] = options.imageWhenAbsent;
  return admit(object);
}

std::expected<Json, FieldErrors> readDocument(const YamlNode& document, const ManifestOptions& options) {
  if (document.type != YamlNode::Type::map)
    return std::unexpected(FieldErrors{{"", "must be a Kubernetes object: a map with apiVersion and kind"}});
  Json object = toJson(document);
  auto text = [&](const char* field) -> std::string {
    auto it = object.find(field);
    return it != object.end() && it->is_string() ? it->get<std::string>() : "";
  };
  std::string kind = text("kind");
  if (kind.empty()) return std::unexpected(FieldErrors{{"kind", std::string("required; ") + kAllowedKinds}});
  if (kind == "Secret") return readSecret(std::move(object));
  if (kind == "ConfigMap") return readConfigMap(std::move(object));
  if (kind != "Function") return std::unexpected(FieldErrors{{"kind", "not known here; " + std::string(kAllowedKinds)}});
  // admit() lets kinds of other groups pass: here they are mistakes.
  if (text("apiVersion") != kApiVersion) return std::unexpected(FieldErrors{{"apiVersion", std::string("must be ") + kApiVersion}});
  return readFunctionObject(std::move(object), options);
}

}  // namespace

std::string ManifestError::toString() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  text += ": ";
  if (!field.empty()) text += field + ": ";
  return text + message;
}

std::expected<std::vector<Manifest>, std::vector<ManifestError>> readManifests(std::string_view file, std::string_view text,
                                                                               const ManifestOptions& options) {
  auto documents = parseYaml(text);
  if (!documents)
    return std::unexpected(std::vector{ManifestError{std::string(file), documents.error().line, "", documents.error().message}});
  std::vector<Manifest> manifests;
  std::vector<ManifestError> errors;
  for (const YamlNode& document : *documents) {
    auto object = readDocument(document, options);
    if (object) {
      manifests.push_back({std::move(*object), document.line});
      continue;
    }
    for (FieldError& error : object.error()) {
      if (errors.size() >= kMaxErrors) break;
      int line = lineOf(document, error.path);
      errors.push_back({std::string(file), line, std::move(error.path), std::move(error.message)});
    }
  }
  if (!errors.empty()) return std::unexpected(std::move(errors));
  return manifests;
}

}  // namespace pilotlight::api
