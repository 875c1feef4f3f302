#include "kube/errors.h"

namespace pilotlight::kube {

std::string_view toString(ErrorCode code) {
  switch (code) {
    case ErrorCode::notFound:
      return "404 not found";
    case ErrorCode::alreadyExists:
      return "409 already exists";
    case ErrorCode::conflict:
      return "409 conflict";
    case ErrorCode::gone:
      return "410 gone";
    case ErrorCode::invalid:
      return "422 invalid";
    case ErrorCode::badRequest:
      return "400 bad request";
    case ErrorCode::forbidden:
      return "403 forbidden";
    case ErrorCode::tooManyRequests:
      return "429 too many requests";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::cancelled:
      return "cancelled";
  }
  return "unknown";
}

Error Attempt::error(ErrorCode code, std::string_view why) const {
  std::string message(verb);
  message.append(" ").append(resource.plural);
  if (!key.name.empty()) {
    message.append(" ").append(key.toString());
  } else if (!key.namespace_.empty()) {
    message.append(" in ").append(key.namespace_);
  }
  message.append(": ").append(toString(code)).append(": ").append(why);
  return Error{code, std::move(message)};
}

}  // namespace pilotlight::kube
