// The kinds of group pilotlight.dev: what a CustomResourceDefinition says besides the schema.
// Thread-safety: immutable constants.
#pragma once

#include "api/descriptor.h"

namespace pilotlight::api {

struct Column {
  std::string_view name, type, jsonPath;
  int priority = 0;  ///< 1: shown with -o wide only
};

struct KindInfo {
  std::string_view kind, plural, singular, shortName;
  std::uint32_t maxName = 63;  ///< characters of metadata.name
  bool status = false;
  bool scale = false;
  std::span<const Column> columns;
  const Struct* object = nullptr;  ///< metadata, spec and, where there is one, status
};

std::span<const KindInfo> kinds();
const KindInfo* findKind(std::string_view kind);  ///< null: not one of ours
const KindInfo& functionKind();
const KindInfo& functionVersionKind();
const KindInfo& functionRouteKind();

/// The descriptor of a field's struct by name, which must exist: part(functionKind(), "spec").
const Field& part(const KindInfo& kind, std::string_view name);

/// For Condition and the status structs, which are also written alone.
const Struct& conditionStruct();
const Struct& functionSpecStruct();

}  // namespace pilotlight::api
