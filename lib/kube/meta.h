// The rules of ObjectMeta: names, the fields that only the server writes, and their checks.
// Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kube/time.h"
#include "kube/types.h"

namespace pilotlight::kube {

/// The metadata of an object as a client sent it; an empty object when there is none.
const Json& metaOf(const Json& object);
/// "" when absent or no string.
const std::string& metaString(const Json& object, std::string_view field);
std::int64_t metaInt(const Json& object, std::string_view field);
bool hasFinalizers(const Json& object);

/// Why a name is not allowed for this resource; nullopt when it is.
std::optional<std::string> nameProblem(const Resource& resource, std::string_view name);
/// Why the object can't be read as one of this resource (400); nullopt when it can.
std::optional<std::string> shapeProblem(const Resource& resource, const Json& object);

/// Copies the fields that only the server writes from `live`; those that `live` has not are removed.
void keepSystemFields(Json& object, const Json& live);
/// Removes identity and server-written fields: what remains is what an applier can own.
void dropSystemFields(Json& object);
/// Removes members that are null, at every depth of objects: to the API server they are absent.
void dropNulls(Json& value);

}  // namespace pilotlight::kube
