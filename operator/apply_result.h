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

}  // namespace pilotlight::op
