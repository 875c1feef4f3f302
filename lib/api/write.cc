#include <nlohmann/json.hpp>
#include <unordered_map>

#include "api/codec.h"
#include "api/kinds.h"

namespace pilotlight::api {
namespace {

Json writeList(const Type& type, const void* value) {
  Json list = Json::array();
  // `at` serves readers and writers; the list is not changed here.
  for (std::size_t i = 0; i < type.size(value); ++i) list.push_back(writeValue(*type.element, type.at(const_cast<void*>(value), i)));
  return list;
}

bool isZero(const Type& type, const void* value) {
  return (type.kind == Kind::int64 && *static_cast<const std::int64_t*>(value) == 0) ||
         (type.kind == Kind::boolean && !*static_cast<const bool*>(value));
}

using Defaults = std::unordered_map<const Field*, Json>;

void collectDefaults(const Struct& object, Defaults& defaults) {
  for (const Field& field : object.fields) {
    if (hasDefault(object, field)) defaults.emplace(&field, writeValue(*field.type, field.in(object.defaults())));
    const Type* inner = field.type->kind == Kind::list ? field.type->element : field.type;
    if (inner->kind == Kind::object) collectDefaults(*inner->object, defaults);
  }
}

const Defaults& allDefaults() {
  static const Defaults defaults = [] {
    Defaults made;
    for (const KindInfo& kind : kinds()) collectDefaults(*part(kind, "spec").type->object, made);
    return made;
  }();
  return defaults;
}

}  // namespace

Json writeValue(const Type& type, const void* value) {
  switch (type.kind) {
    case Kind::string:
      return *static_cast<const std::string*>(value);
    case Kind::boolean:
      return *static_cast<const bool*>(value);
    case Kind::int32:
      return *static_cast<const int*>(value);
    case Kind::int64:
      return *static_cast<const std::int64_t*>(value);
    case Kind::duration:
      return formatDuration(*static_cast<const Duration*>(value));
    case Kind::bytes:
      return formatBytes(*static_cast<const Bytes*>(value));
    case Kind::cpu:
      return formatCpu(*static_cast<const MilliCpu*>(value));
    case Kind::enumeration:
      return std::string(type.names[type.enumIndex(value)]);
    case Kind::optional:
      return type.size(value) == 0 ? Json() : writeValue(*type.element, type.at(const_cast<void*>(value), 0));
    case Kind::object:
      return writeStruct(*type.object, value);
    case Kind::list:
      return writeList(type, value);
    case Kind::map:
      return *static_cast<const StringMap*>(value);
  }
  return {};
}

Json writeStruct(const Struct& object, const void* value) {
  Json json = Json::object();
  for (const Field& field : object.fields) {
    const void* member = field.in(value);
    // Empty is left out, unless absent would mean something else.
    if (isEmpty(*field.type, member) && !hasDefault(object, field)) continue;
    if (field.options.omitEmpty && isZero(*field.type, member)) continue;
    json.emplace(std::string(field.name), writeValue(*field.type, member));
  }
  return json;
}

void writeDefaults(const Struct& object, Json& json) {
  for (const Field& field : object.fields) {
    auto it = json.find(field.name);
    if (it == json.end() || it->is_null()) {
      auto found = allDefaults().find(&field);
      if (found != allDefaults().end()) json[std::string(field.name)] = found->second;
    } else if (field.type->kind == Kind::object) {
      writeDefaults(*field.type->object, *it);
    } else if (field.type->kind == Kind::list && field.type->element->kind == Kind::object) {
      for (Json& item : *it) writeDefaults(*field.type->element->object, item);
    }
  }
}

}  // namespace pilotlight::api
