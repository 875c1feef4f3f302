// docs/reference.md: every field of every kind, as people write it in YAML.
#include <nlohmann/json.hpp>

#include "api/codec.h"
#include "api/formats.h"
#include "api/generate.h"

namespace pilotlight::api {
namespace {

std::string joined(std::span<const std::string_view> names) {
  std::string text;
  for (std::string_view name : names) text += (text.empty() ? "`" : ", `") + std::string(name) + "`";
  return text;
}

std::string typeText(const Type& type) {
  switch (type.kind) {
    case Kind::string:
    case Kind::enumeration:
      return "string";
    case Kind::boolean:
      return "boolean";
    case Kind::int32:
    case Kind::int64:
      return "integer";
    case Kind::duration:
      return "duration";
    case Kind::bytes:
    case Kind::cpu:
      return "quantity";
    case Kind::optional:
      return typeText(*type.element);
    case Kind::object:
      return "object";
    case Kind::list:
      return "list of " + typeText(*type.element) + "s";
    case Kind::map:
      return "map of strings";
  }
  return "";
}

const Type& innermost(const Type& type) {
  return type.kind == Kind::list || type.kind == Kind::optional ? innermost(*type.element) : type;
}

bool isList(const Type& type) {
  return type.kind == Kind::optional ? isList(*type.element) : type.kind == Kind::list;
}

std::string rangeText(Kind kind, const Options& options) {
  if (options.min == kNoMin && options.max == kNoMax) return "";
  if (options.max == kNoMax) return "at least " + boundText(kind, options.min);
  return boundText(kind, options.min) + " to " + boundText(kind, options.max);
}

std::string allowedText(const Field& field) {
  const Type& inner = innermost(*field.type);
  std::string text;
  auto add = [&text](const std::string& part) {
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  };
  if (inner.kind == Kind::enumeration) add(joined(inner.names));
  if (!field.options.oneOf.empty()) add(joined(field.options.oneOf));
  add(rangeText(inner.kind, field.options));
  add(std::string(formatInfo(field.options.format).name));
  if (field.options.nonEmpty && isList(*field.type)) add("at least 1");
  if (isList(*field.type)) add("at most " + std::to_string(field.options.maxItems));
  if (field.options.listType != ListType::atomic) {
    add(field.options.listKey.empty() ? "each once" : "each `" + std::string(field.options.listKey) + "` once");
  }
  return text;
}

std::string defaultText(const Struct& object, const Field& field) {
  if (field.options.required) return "required";
  if (field.type->kind == Kind::object || !hasDefault(object, field)) return "";
  return "`" + writeValue(*field.type, field.in(object.defaults())).dump() + "`";
}

std::string escaped(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.replace(at, 1, "\\|");
  return text;
}

void rowsOf(const Struct& object, const std::string& prefix, bool defaults, std::string& out) {
  for (const Field& field : object.fields) {
    std::string path = prefix + "." + std::string(field.name);
    out += "| `" + path + "` | " + typeText(*field.type) + " | " + (defaults ? defaultText(object, field) : "") + " | " +
           escaped(allowedText(field)) + " | " + escaped(std::string(field.doc)) + " |\n";
    const Type& inner = innermost(*field.type);
    if (inner.kind == Kind::object) rowsOf(*inner.object, path + (isList(*field.type) ? "[]" : ""), defaults, out);
  }
}

void rulesOf(const Struct& object, const std::string& prefix, std::string& out) {
  for (const Rule& rule : object.rules) {
    out += "- `" + prefix + (rule.field.empty() ? "" : "." + std::string(rule.field)) + "`: " + std::string(rule.message) + ".\n";
  }
  for (const Field& field : object.fields) {
    const Type& inner = innermost(*field.type);
    std::string path = prefix + "." + std::string(field.name) + (isList(*field.type) ? "[]" : "");
    if (inner.kind == Kind::object) rulesOf(*inner.object, path, out);
  }
}

std::string kindSection(const KindInfo& kind) {
  std::string out = "\n## " + std::string(kind.kind) + "\n\n" + std::string(kind.object->doc) + "\n\n";
  out += "`apiVersion: " + std::string(kApiVersion) + "`, `kind: " + std::string(kind.kind) + "`. In commands: `" +
         std::string(kind.plural) + "`" + (kind.shortName.empty() ? "" : ", `" + std::string(kind.shortName) + "`") +
         ". `metadata.name` is a DNS label of at most " + std::to_string(kind.maxName) + " characters.\n";
  for (const Field& field : kind.object->fields) {
    if (field.name == "metadata") continue;
    std::string name(field.name), rules;
    out += "\n### " + name + "\n\n" + std::string(field.doc) + "\n\n";
    out += "| Field | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n";
    rowsOf(*field.type->object, name, name == "spec", out);
    rulesOf(*field.type->object, name, rules);
    if (!rules.empty()) out += "\nRules:\n\n" + rules;
  }
  return out;
}

}  // namespace

std::string referenceMarkdown() {
  std::string out =
      "<!-- Generated from lib/api/tables.h by crdgen (make crds). Do not edit. -->\n"
      "# Reference\n\n"
      "All fields of the resources of group `pilotlight.dev`. A duration is written like `250ms`, `30s` or `1m30s`; a quantity like\n"
      "`64Mi` or `1G` for bytes, `500m` or `2` for CPU. Unknown fields are errors.\n";
  for (const KindInfo& kind : kinds()) out += kindSection(kind);
  return out;
}

}  // namespace pilotlight::api
