// JSON <-> structs by their descriptors. Internal to lib/api.
// Thread-safety: pure functions; the cache of defaults is built once and then immutable.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "api/api.h"
#include "api/descriptor.h"

namespace pilotlight::api {

/// Where the reader is. Lives on the stack and becomes text only when there is an error.
struct Path {
  const Path* parent = nullptr;
  std::string_view name;  ///< of the field, or the key of a map's entry
  enum class Step { field, item, key } step = Step::field;
  std::size_t index = 0;

  std::string toString() const;
};

enum class Strictness {
  strict,  ///< unknown fields, bounds and rules are errors
  types,   ///< only wrong types are errors: for metadata and status, which others write too
};

/// Reads `json` into the default-constructed `out`. Errors are added to `errors`, at most kMaxErrors in all.
void readStruct(const Struct& object, const Json& json, void* out, const Path& path, Strictness strictness, FieldErrors& errors);
inline constexpr std::size_t kMaxErrors = 100;

/// Empty fields are left out, everything else is written.
Json writeStruct(const Struct& object, const void* value);
Json writeValue(const Type& type, const void* value);

/// Sets absent (or null) fields that have a default, at every depth. `json` has been read without errors.
void writeDefaults(const Struct& object, Json& json);

/// "unknown field; did you mean 'min'? Allowed: max, min"
std::string unknownField(std::string_view name, std::span<const std::string_view> known);

/// "a string", "a number", … as people call it.
std::string_view jsonTypeName(const Json& json);

}  // namespace pilotlight::api
