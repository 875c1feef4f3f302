// How errors of the Kubernetes API are worded: what was attempted on what, the HTTP status, and why.
#pragma once

#include <string>
#include <string_view>

#include "kube/types.h"

namespace pilotlight::kube {

/// "409 conflict"; without a number for outcomes that no server sends.
std::string_view toString(ErrorCode code);

/// What is attempted on what; the start of every error message.
struct Attempt {
  std::string_view verb;  ///< "apply", "patch status", …
  const Resource& resource;
  Key key;  ///< the name may be empty (list, watch)

  /// "apply deployments shop/orders: 409 conflict: <why>"
  Error error(ErrorCode code, std::string_view why) const;
  std::unexpected<Error> fail(ErrorCode code, std::string_view why) const { return std::unexpected(error(code, why)); }
};

}  // namespace pilotlight::kube
