// The generated files are current and hold to the rules by which an API server accepts a CustomResourceDefinition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <regex>

#include "api/api.h"
#include "api/kinds.h"
#include "api/yaml_parse.h"
#include "support.h"

namespace pilotlight::api {
namespace {

std::vector<std::pair<std::string, Json>> crds() {
  std::vector<std::pair<std::string, Json>> found;
  for (const GeneratedFile& file : generatedFiles()) {
    if (!file.path.starts_with("crds/")) continue;
    auto documents = parseYaml(file.content);
    EXPECT_TRUE(documents && documents->size() == 1) << file.path;
    if (documents) found.emplace_back(file.path, toJson(documents->front()));
  }
  return found;
}

const Json& rootOf(const Json& crd) {
  return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
}

/// Calls `visit(path, schema)` for every node of a schema.
template <class Visit>
void walk(const std::string& path, const Json& schema, const Visit& visit) {
  visit(path, schema);
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, child] : properties.items()) walk(path + "." + name, child, visit);
  if (schema.contains("items")) walk(path + "[]", schema["items"], visit);
  if (schema.contains("additionalProperties")) walk(path + "{}", schema["additionalProperties"], visit);
}

template <class Visit>
void walkAll(const Visit& visit) {
  for (const auto& [file, crd] : crds()) walk(file + ":", rootOf(crd), visit);
}

std::string inSourceTree(const std::string& path) {
  std::ifstream stream(std::string(PILOTLIGHT_SOURCE_DIR) + "/" + path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(GeneratedFiles, AreCurrent) {
  for (const GeneratedFile& file : generatedFiles())
    EXPECT_TRUE(inSourceTree(file.path) == file.content) << file.path << " differs: run make crds";
}

TEST(GeneratedFiles, AreInTheChart) {  // helm packs nothing from outside of a chart's folder
  for (const GeneratedFile& file : generatedFiles()) {
    if (!file.path.starts_with("crds/")) continue;
    EXPECT_TRUE(inSourceTree("charts/pilotlight/files/" + file.path) == file.content) << file.path << " differs: run make crds";
  }
}

TEST(Crds, NameTheirKinds) {
  auto all = crds();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].first, "crds/pilotlight.dev_functions.yaml");
  const Json& function = all[0].second;
  EXPECT_EQ(function["metadata"]["name"], "functions.pilotlight.dev");
  EXPECT_EQ(function["spec"]["names"]["shortNames"], Json::array({"fn"}));
  EXPECT_EQ(all[1].second["spec"]["names"]["shortNames"], Json::array({"fnv"}));
  const Json& version = function["spec"]["versions"][0];
  EXPECT_EQ(version["subresources"]["scale"]["specReplicasPath"], ".spec.replicas");
  EXPECT_EQ(version["subresources"]["scale"]["labelSelectorPath"], ".status.selector");
  EXPECT_EQ(version["subresources"]["status"], Json::object());
  EXPECT_FALSE(all[1].second["spec"]["versions"][0].contains("subresources"));
}

TEST(Crds, HaveATypeInEveryNode) {
  walkAll([](const std::string& path, const Json& schema) {
    bool intOrString = schema.value("x-kubernetes-int-or-string", false);
    EXPECT_NE(schema.contains("type"), intOrString) << path;
    if (intOrString) {
      EXPECT_EQ(schema["anyOf"], Json::parse(R"([{"type": "integer"}, {"type": "string"}])")) << path;
    }
    EXPECT_FALSE(schema.contains("properties") && schema.contains("additionalProperties")) << path;
    if (schema.value("type", "") == "array") {
      EXPECT_TRUE(schema.contains("items")) << path;
    }
    for (const char* forbidden :
         {"$ref", "definitions", "dependencies", "id", "patternProperties", "uniqueItems", "nullable", "allOf", "oneOf", "not"}) {
      EXPECT_FALSE(schema.contains(forbidden)) << path << " " << forbidden;
    }
  });
}

TEST(Crds, RestrictOnlyTheNameInMetadata) {
  for (const auto& [file, crd] : crds()) {
    EXPECT_EQ(rootOf(crd)["type"], "object");
    const Json& metadata = rootOf(crd)["properties"]["metadata"];
    EXPECT_EQ(metadata.size(), 2U) << file;
    EXPECT_EQ(metadata["properties"].size(), 1U) << file;
    EXPECT_TRUE(metadata["properties"].contains("name")) << file;
  }
}

TEST(Crds, BoundEverythingThatRulesCost) {
  walkAll([](const std::string& path, const Json& schema) {
    std::string type = schema.value("type", "");
    bool rootString = path.ends_with(".apiVersion") || path.ends_with(".kind");
    if (type == "string" && !rootString) {
      EXPECT_TRUE(schema.contains("maxLength") || schema.contains("enum")) << path;
    }
    if (type == "array") {
      EXPECT_TRUE(schema.contains("maxItems")) << path;
    }
    if (schema.contains("additionalProperties")) {
      EXPECT_TRUE(schema.contains("maxProperties")) << path;
    }
  });
}

TEST(Crds, GiveNoDefaultToWhatIsRequired) {
  walkAll([](const std::string& path, const Json& schema) {
    const Json list = schema.value("required", Json::array());
    for (const Json& name : list) {
      ASSERT_TRUE(schema["properties"].contains(name.get<std::string>())) << path;
      EXPECT_FALSE(schema["properties"][name.get<std::string>()].contains("default")) << path << "." << name;
    }
  });
}

void expectFits(const std::string& path, const Json& schema, const Json& value) {
  std::string type = schema.value("type", "");
  bool fits = type == "object"    ? value.is_object()
              : type == "array"   ? value.is_array()
              : type == "integer" ? value.is_number_integer()
              : type == "boolean" ? value.is_boolean()
                                  : value.is_string();
  EXPECT_TRUE(fits) << path << " " << value;
  if (schema.contains("enum")) {
    EXPECT_THAT(schema["enum"], testing::Contains(value)) << path;
  }
  if (schema.contains("pattern")) {
    EXPECT_TRUE(std::regex_match(value.get<std::string>(), std::regex(schema["pattern"].get<std::string>()))) << path << " " << value;
  }
  if (schema.contains("minimum")) {
    EXPECT_GE(value, schema["minimum"]) << path;
  }
  if (schema.contains("maximum")) {
    EXPECT_LE(value, schema["maximum"]) << path;
  }
  if (type == "array") {
    for (const Json& item : value) expectFits(path + "[]", schema["items"], item);
  }
  if (type != "object") return;
  for (const auto& [name, child] : value.items()) {
    ASSERT_TRUE(schema["properties"].contains(name)) << path << "." << name;
    expectFits(path + "." + name, schema["properties"][name], child);
  }
  // A default must stand by itself: rules are judged on it before deeper defaults are filled in.
  for (const auto& [name, child] : schema["properties"].items()) {
    if (child.contains("default")) {
      EXPECT_TRUE(value.contains(name)) << path << "." << name;
    }
  }
}

TEST(Crds, HaveDefaultsThatFitTheirSchema) {
  int defaults = 0;
  walkAll([&](const std::string& path, const Json& schema) {
    if (!schema.contains("default")) return;
    ++defaults;
    expectFits(path, schema, schema["default"]);
  });
  EXPECT_GT(defaults, 20);
}

TEST(Crds, KeyListsByFieldsThatAreRequired) {
  int keyed = 0;
  walkAll([&](const std::string& path, const Json& schema) {
    if (schema.value("type", "") != "array") return;
    std::string listType = schema.value("x-kubernetes-list-type", "");
    EXPECT_THAT(listType, testing::AnyOf("atomic", "set", "map")) << path;
    if (listType == "set") {
      EXPECT_EQ(schema["items"]["type"], "string") << path;
    }
    if (listType != "map") return;
    ++keyed;
    for (const Json& key : schema["x-kubernetes-list-map-keys"]) EXPECT_THAT(schema["items"]["required"], testing::Contains(key)) << path;
  });
  EXPECT_EQ(keyed, 9) << "env, secrets, config twice; conditions twice; gateways";
}

TEST(Crds, HaveRulesWithMessagesAndFieldsThatExist) {
  walkAll([](const std::string& path, const Json& schema) {
    const Json list = schema.value("x-kubernetes-validations", Json::array());
    for (const Json& rule : list) {
      EXPECT_FALSE(rule["message"].get<std::string>().empty()) << path;
      EXPECT_EQ(rule["message"].get<std::string>().find('\n'), std::string::npos) << path;
      const Json* at = &schema;
      std::string field = rule.value("fieldPath", "");
      for (std::size_t dot = 0; dot < field.size();) {
        std::size_t end = std::min(field.find('.', dot + 1), field.size());
        std::string name = field.substr(dot + 1, end - dot - 1);
        ASSERT_TRUE((*at)["properties"].contains(name)) << path << " " << field;
        at = &(*at)["properties"][name];
        dot = end;
      }
    }
  });
}

TEST(Crds, HaveDefaultsThatAdmissionWrites) {
  const Json spec = rootOf(crds()[0].second)["properties"]["spec"];
  Json admitted = *admit(smallFunction());
  for (const auto& [name, schema] : spec["properties"].items()) {
    if (schema.contains("default")) {
      EXPECT_EQ(admitted["spec"][name], schema["default"]) << name;
    }
  }
}

void expectInReference(const std::string& reference, const Struct& object, const std::string& prefix) {
  for (const Field& field : object.fields) {
    std::string path = prefix + "." + std::string(field.name);
    EXPECT_NE(reference.find("| `" + path + "` |"), std::string::npos) << path;
    EXPECT_FALSE(field.doc.empty() || field.doc.back() != '.') << path << " needs a sentence";
    const Type* type = field.type;
    if (type->kind == Kind::list) type = type->element;
    if (type->kind == Kind::object) expectInReference(reference, *type->object, path + (field.type->kind == Kind::list ? "[]" : ""));
  }
}

TEST(Reference, HasEveryField) {
  std::string reference = generatedFiles().back().content;
  for (const KindInfo& kind : kinds()) {
    std::size_t start = reference.find("\n## " + std::string(kind.kind) + "\n");
    ASSERT_NE(start, std::string::npos);
    std::string section = reference.substr(start, reference.find("\n## ", start + 1) - start);
    for (const Field& field : kind.object->fields) {
      if (field.name != "metadata") expectInReference(section, *field.type->object, std::string(field.name));
    }
  }
}

}  // namespace
}  // namespace pilotlight::api
