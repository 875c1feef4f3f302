// Results of writes whose value, or whose failure, says nothing. Internal to the appliers.
#pragma once

#include "kube/types.h"

namespace pilotlight::op {

inline kube::Result<void> ignoreValue(const kube::Result<kube::Object>& result) {
  if (!result) {
    return std::unexpected(result.error());
  }
  return {};
}

inline kube::Result<void> ignoreNotFound(kube::Result<void> result) {
  if (!result && result.error().code == kube::ErrorCode::notFound) {
    return {};
  }
  return result;
}

/// What is to be made is there already: the cache is behind, and the next pass knows better.
inline kube::Result<void> behindIfThere(kube::Result<kube::Object> made) {
  if (!made && made.error().code == kube::ErrorCode::alreadyExists) {
    made.error().code = kube::ErrorCode::conflict;
  }
  return ignoreValue(made);
}

}  // namespace pilotlight::op
