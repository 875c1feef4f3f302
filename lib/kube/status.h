// Kubernetes' Status objects: how an API server says what went wrong. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "kube/types.h"

namespace pilotlight::kube {

/// 404 for notFound, 409 for conflict and alreadyExists, …
int httpStatus(ErrorCode code);
/// "NotFound" for notFound, …
std::string_view reasonOf(ErrorCode code);
/// The server's own words: the message without what was attempted (errors.h).
std::string serverMessage(const Error& error);
/// Nothing new comes into a namespace that is being deleted: a 403 that is nobody's missing right.
bool namespaceIsTerminating(const Error& error);
/// {"kind":"Status","status":"Failure","reason":"NotFound","code":404,"message":…}
nlohmann::json toStatus(const Error& error);
/// What a client makes of an answer of 400 or more, the causes and retryAfterSeconds of its details included; a body
/// that is no Status becomes the message, shortened.
Error fromStatus(int httpStatus, const std::string& body);
Error fromStatusObject(int httpStatus, const nlohmann::json& status);

}  // namespace pilotlight::kube
