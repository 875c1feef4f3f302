// What the API server knows of each resource beside its fields: how lists and maps merge (the x-kubernetes-list-type and
// -map-type of the OpenAPI schema), and which subresources there are.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kube/types.h"

namespace pilotlight::kube {

/// How a value merges. The same node describes a list map and the elements in it. Unknown objects are granular, unknown
/// lists atomic.
struct Shape {
  enum class Kind { plain, atomic, set, listMap };
  Kind kind = Kind::plain;
  std::vector<std::string> keys;  ///< of a list map
  bool atomicItems = false;       ///< of a list map
  std::map<std::string, Shape, std::less<>> fields;

  const Shape& field(std::string_view name) const;
};

struct Traits {
  bool custom = false;      ///< defined by a CRD: an update needs a resourceVersion
  bool status = false;      ///< has a status subresource
  bool scale = false;       ///< has a scale subresource
  bool generation = false;  ///< counts changes of its spec
  bool graceful = false;    ///< deletion waits for a grace period: pods
};

const Shape& shapeOf(const Resource& resource);
Traits traitsOf(const Resource& resource);

}  // namespace pilotlight::kube
