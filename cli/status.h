// Kubernetes' Status objects: how an API server says what went wrong. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "kube/types.h"

namespace pilotlight::cli {

/// 404 for notFound, 409 for conflict and alreadyExists, …
int httpStatus(kube::ErrorCode code);
/// {"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":…}
nlohmann::json toStatus(const kube::Error& error);
/// What a client makes of an answer of 400 or more; a body that is no Status becomes the message, shortened.
kube::Error fromStatus(int httpStatus, const std::string& body);

}  // namespace pilotlight::cli
