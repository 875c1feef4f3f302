// The pure part of server-side apply, after structured-merge-diff: which fields a value has, what changed between two,
// merging an applied configuration into a live object, and removing what its manager no longer applies.
// Thread-safety: pure functions.
#pragma once

#include <expected>
#include <string>

#include "kube/field_set.h"
#include "kube/schema.h"
#include "kube/types.h"

namespace pilotlight::kube {

FieldSet fieldsOf(const Json& value, const Shape& shape);

struct Difference {
  FieldSet changed;  ///< added, or with another value
  FieldSet removed;
};
Difference compare(const Json& before, const Json& after, const Shape& shape);

/// `live` with everything of `config` written over it. Elements of list maps keep the order of `config`.
/// The error says which list of `config` has an element without its key, or twice the same.
std::expected<Json, std::string> merged(const Json& live, const Json& config, const Shape& shape);

/// Removes from `object` the fields in `dropped` at and below which `kept` has nothing. Containers emptied by it go too.
void prune(Json& object, const Shape& shape, const FieldSet& dropped, const FieldSet& kept);

}  // namespace pilotlight::kube
