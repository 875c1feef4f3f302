// Keeping of an object only what its reader needs: ten thousand whole Pods are hundreds of megabytes. Pure.
#pragma once

#include <string>
#include <vector>

#include "kube/types.h"

namespace pilotlight::kube {

/// The object with its identity (apiVersion, kind; metadata's name, namespace, uid, resourceVersion, generation,
/// deletionTimestamp) and what is at the JSON pointers, which lead through objects, not arrays. No pointers: the object.
Object reduced(const Object& object, const std::vector<std::string>& keep);

}  // namespace pilotlight::kube
