// CRDs (apiextensions.k8s.io/v1) with structural schemas. Every string, list and map has an upper bound: an API server
// estimates the cost of CEL rules from those bounds and refuses a CRD whose rules could cost too much.
#include <nlohmann/json.hpp>

#include "api/codec.h"
#include "api/formats.h"
#include "api/generate.h"
#include "api/yaml_text.h"

namespace pilotlight::api {
namespace {

using Schema = nlohmann::ordered_json;

enum class Side { spec, status };  ///< only a spec has defaults and rules

Schema typeSchema(const Type& type, const Options& options, Side side);

Schema celRule(const std::string& rule, const std::string& message) {
  return Schema::array({Schema{{"rule", rule}, {"message", message}}});
}

Schema stringSchema(const Options& options) {
  Schema schema = {{"type", "string"}};
  if (!options.oneOf.empty()) {
    schema["enum"] = std::vector<std::string>(options.oneOf.begin(), options.oneOf.end());
    return schema;
  }
  if (options.nonEmpty) schema["minLength"] = 1;
  schema["maxLength"] = options.maxLength;
  if (const FormatInfo& format = formatInfo(options.format); !format.pattern.empty()) schema["pattern"] = std::string(format.pattern);
  return schema;
}

Schema integerSchema(const char* format, const Options& options) {
  Schema schema = {{"type", "integer"}, {"format", format}};
  if (options.min != kNoMin) schema["minimum"] = options.min;
  if (options.max != kNoMax) schema["maximum"] = options.max;
  return schema;
}

/// "must be between 10ms and 24h"
std::string boundsMessage(Kind kind, const Options& options) {
  return "must be between " + boundText(kind, options.min) + " and " + boundText(kind, options.max);
}

Schema durationSchema(const Options& options) {
  Schema schema = {{"type", "string"}, {"maxLength", 32}, {"pattern", kDurationPattern}};
  if (options.min == kNoMin) return schema;
  std::string rule = "duration(self) >= duration('" + boundText(Kind::duration, options.min) + "') && duration(self) <= duration('" +
                     boundText(Kind::duration, options.max) + "')";
  schema["x-kubernetes-validations"] = celRule(rule, boundsMessage(Kind::duration, options));
  return schema;
}

/// A number or a string, as Kubernetes takes quantities. `unit` is what 1 means when it is a number, in the unit of the bounds.
Schema quantitySchema(Kind kind, const char* pattern, std::int64_t unit, const Options& options) {
  Schema schema = {{"anyOf", Schema::array({Schema{{"type", "integer"}}, Schema{{"type", "string"}}})},
                   {"pattern", pattern},
                   {"x-kubernetes-int-or-string", true}};
  if (options.min == kNoMin) return schema;
  auto compare = [&](const char* relation, std::int64_t value) {
    return "quantity(self).compareTo(quantity('" + boundText(kind, value) + "')) " + relation + " 0";
  };
  std::string number = "self >= " + std::to_string((options.min + unit - 1) / unit) + " && self <= " + std::to_string(options.max / unit);
  std::string rule = "type(self) == string ? " + compare(">=", options.min) + " && " + compare("<=", options.max) + " : " + number;
  schema["x-kubernetes-validations"] = celRule(rule, boundsMessage(kind, options));
  return schema;
}

Schema listSchema(const Type& type, const Options& options, Side side) {
  Options item = options;
  item.nonEmpty = false;
  Schema schema = {{"type", "array"}};
  if (options.nonEmpty) schema["minItems"] = 1;
  schema["maxItems"] = options.maxItems;
  switch (options.listType) {
    case ListType::atomic:
      schema["x-kubernetes-list-type"] = "atomic";
      break;
    case ListType::set:
      schema["x-kubernetes-list-type"] = "set";
      break;
    case ListType::map:
      schema["x-kubernetes-list-type"] = "map";
      schema["x-kubernetes-list-map-keys"] = Schema::array({std::string(options.listKey)});
      break;
  }
  schema["items"] = typeSchema(*type.element, item, side);
  return schema;
}

Schema mapSchema(const Options& options) {
  return {{"type", "object"}, {"maxProperties", options.maxItems}, {"additionalProperties", stringSchema(options)}};
}

Schema rulesSchema(const Struct& object) {
  Schema rules = Schema::array();
  for (const Rule& rule : object.rules) {
    Schema entry = {{"rule", std::string(rule.cel)}, {"message", std::string(rule.message)}};
    if (!rule.field.empty()) {
      entry["message"] = std::string(rule.field) + " " + std::string(rule.message);
      entry["fieldPath"] = "." + std::string(rule.field);
    }
    rules.push_back(std::move(entry));
  }
  return rules;
}

Schema objectSchema(const Struct& object, Side side) {
  Schema properties = Schema::object(), required = Schema::array();
  for (const Field& field : object.fields) {
    Schema schema = {{"description", std::string(field.doc)}};
    schema.update(typeSchema(*field.type, field.options, side));
    if (side == Side::spec && hasDefault(object, field)) {
      schema["default"] = Schema::parse(writeValue(*field.type, field.in(object.defaults())).dump());
    }
    if (field.options.required) required.push_back(std::string(field.name));
    properties[std::string(field.name)] = std::move(schema);
  }
  Schema schema = {{"type", "object"}};
  if (!required.empty()) schema["required"] = std::move(required);
  schema["properties"] = std::move(properties);
  if (side == Side::spec && !object.rules.empty()) schema["x-kubernetes-validations"] = rulesSchema(object);
  return schema;
}

Schema typeSchema(const Type& type, const Options& options, Side side) {
  switch (type.kind) {
    case Kind::string:
      return stringSchema(options);
    case Kind::boolean:
      return {{"type", "boolean"}};
    case Kind::int32:
      return integerSchema("int32", options);
    case Kind::int64:
      return integerSchema("int64", options);
    case Kind::duration:
      return durationSchema(options);
    case Kind::bytes:
      return quantitySchema(type.kind, kBytesPattern, 1, options);
    case Kind::cpu:
      return quantitySchema(type.kind, kCpuPattern, 1000, options);
    case Kind::enumeration:
      return {{"type", "string"}, {"enum", std::vector<std::string>(type.names.begin(), type.names.end())}};
    case Kind::optional:
      return typeSchema(*type.element, options, side);
    case Kind::object:
      return objectSchema(*type.object, side);
    case Kind::list:
      return listSchema(type, options, side);
    case Kind::map:
      return mapSchema(options);
  }
  return {};
}

Schema rootSchema(const KindInfo& kind) {
  Schema name = {{"type", "string"}, {"maxLength", kind.maxName}, {"pattern", std::string(formatInfo(Format::dnsLabel).pattern)}};
  Schema properties = {{"apiVersion", {{"type", "string"}}},
                       {"kind", {{"type", "string"}}},
                       {"metadata", {{"type", "object"}, {"properties", {{"name", name}}}}}};
  for (const Field& field : kind.object->fields) {
    if (field.name == "metadata") continue;
    Schema schema = {{"description", std::string(field.doc)}};
    schema.update(objectSchema(*field.type->object, field.name == "spec" ? Side::spec : Side::status));
    properties[std::string(field.name)] = std::move(schema);
  }
  return {{"description", std::string(kind.object->doc)},
          {"type", "object"},
          {"required", Schema::array({"spec"})},
          {"properties", properties}};
}

Schema namesOf(const KindInfo& kind) {
  Schema names = {{"kind", std::string(kind.kind)},
                  {"listKind", std::string(kind.kind) + "List"},
                  {"plural", std::string(kind.plural)},
                  {"singular", std::string(kind.singular)}};
  if (!kind.shortName.empty()) names["shortNames"] = Schema::array({std::string(kind.shortName)});
  names["categories"] = Schema::array({"pilotlight"});
  return names;
}

Schema columnsOf(const KindInfo& kind) {
  Schema columns = Schema::array();
  for (const Column& column : kind.columns) {
    Schema entry = {{"name", std::string(column.name)}, {"type", std::string(column.type)}, {"jsonPath", std::string(column.jsonPath)}};
    if (column.priority != 0) entry["priority"] = column.priority;
    columns.push_back(std::move(entry));
  }
  return columns;
}

Schema versionOf(const KindInfo& kind) {
  Schema version = {{"name", kVersion}, {"served", true}, {"storage", true}, {"additionalPrinterColumns", columnsOf(kind)}};
  Schema subresources = Schema::object();
  if (kind.status) subresources["status"] = Schema::object();
  if (kind.scale) {
    subresources["scale"] = {
        {"specReplicasPath", ".spec.replicas"}, {"statusReplicasPath", ".status.replicas"}, {"labelSelectorPath", ".status.selector"}};
  }
  if (!subresources.empty()) version["subresources"] = std::move(subresources);
  version["schema"] = {{"openAPIV3Schema", rootSchema(kind)}};
  return version;
}

}  // namespace

std::string boundText(Kind kind, std::int64_t value) {
  switch (kind) {
    case Kind::duration:
      return formatDuration(Duration(value));
    case Kind::bytes:
      return formatBytes({value});
    case Kind::cpu:
      return formatCpu({value});
    default:
      return std::to_string(value);
  }
}

std::string crdYaml(const KindInfo& kind) {
  std::string name = std::string(kind.plural) + "." + kGroup;
  Schema crd = {
      {"apiVersion", "apiextensions.k8s.io/v1"},
      {"kind", "CustomResourceDefinition"},
      {"metadata", {{"name", name}}},
      {"spec", {{"group", kGroup}, {"names", namesOf(kind)}, {"scope", "Namespaced"}, {"versions", Schema::array({versionOf(kind)})}}}};
  return "# Generated from lib/api/tables.h by crdgen (make crds). Do not edit.\n" + toYaml(crd);
}

std::vector<GeneratedFile> generatedFiles() {
  std::vector<GeneratedFile> files;
  for (const KindInfo& kind : kinds()) files.push_back({"crds/pilotlight.dev_" + std::string(kind.plural) + ".yaml", crdYaml(kind)});
  files.push_back({"docs/reference.md", referenceMarkdown()});
  return files;
}

}  // namespace pilotlight::api
