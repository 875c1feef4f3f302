#include "kube/status.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "kube/errors.h"

namespace pilotlight::kube {

namespace {

struct Row {
  ErrorCode code;
  int http;
  const char* reason;
};

// The first row of a code or HTTP status is the one that is written.
constexpr std::array<Row, 12> kRows{{
    {ErrorCode::notFound, 404, "NotFound"},
    {ErrorCode::alreadyExists, 409, "AlreadyExists"},
    {ErrorCode::conflict, 409, "Conflict"},
    {ErrorCode::gone, 410, "Expired"},
    {ErrorCode::invalid, 422, "Invalid"},
    {ErrorCode::badRequest, 400, "BadRequest"},
    {ErrorCode::forbidden, 403, "Forbidden"},
    {ErrorCode::forbidden, 401, "Unauthorized"},
    {ErrorCode::tooManyRequests, 429, "TooManyRequests"},
    {ErrorCode::timeout, 504, "Timeout"},
    {ErrorCode::unavailable, 503, "ServiceUnavailable"},
    {ErrorCode::cancelled, 503, "ServiceUnavailable"},
}};

const Row& rowOf(ErrorCode code) {
  return *std::find_if(kRows.begin(), kRows.end(), [&](const Row& row) { return row.code == code; });
}

constexpr std::size_t kShownBody = 300;

}  // namespace

int httpStatus(ErrorCode code) {
  return rowOf(code).http;
}

std::string_view reasonOf(ErrorCode code) {
  return rowOf(code).reason;
}

std::string serverMessage(const Error& error) {
  // From the back: a server that is one of ours says the same before its words.
  const std::string label = ": " + std::string(toString(error.code)) + ": ";
  const auto at = error.message.rfind(label);
  return at == std::string::npos ? error.message : error.message.substr(at + label.size());
}

bool namespaceIsTerminating(const Error& error) {
  return error.code == ErrorCode::forbidden && error.message.find("because it is being terminated") != std::string::npos;
}

nlohmann::json toStatus(const Error& error) {
  const Row& row = rowOf(error.code);
  nlohmann::json status = {{"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", nlohmann::json::object()},
                           {"status", "Failure"}, {"message", error.message}, {"reason", row.reason},
                           {"code", row.http}};
  if (error.retryAfter) {
    status["details"]["retryAfterSeconds"] = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(*error.retryAfter).count());
  }
  return status;
}

namespace {

std::string text(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The causes that the message does not already tell: "spec.scale.max: must not be less than min".
std::string causesBeyond(const std::string& message, const Json& details) {
  std::string out;
  const auto causes = details.find("causes");
  if (causes == details.end() || !causes->is_array()) return out;
  for (const Json& cause : *causes) {
    if (!cause.is_object()) continue;
    const std::string why = text(cause, "message");
    if (why.empty() || message.find(why) != std::string::npos || out.size() > kShownBody) continue;
    const std::string field = text(cause, "field");
    out += "; " + (field.empty() ? why : field + ": " + why);
  }
  return out;
}

ErrorCode codeOf(int http, const std::string& reason) {
  for (const Row& row : kRows) {
    if (row.http == http && (reason.empty() || reason == row.reason)) return row.code;
  }
  for (const Row& row : kRows) {
    if (row.http == http) return row.code;
  }
  return http < 500 ? ErrorCode::badRequest : ErrorCode::unavailable;
}

}  // namespace

Error fromStatus(int http, const std::string& body) {
  const Json status = Json::parse(body, nullptr, false);
  if (status.is_object() && !text(status, "message").empty()) return fromStatusObject(http, status);
  return {codeOf(http, ""), "HTTP " + std::to_string(http) + (body.empty() ? "" : ": " + body.substr(0, kShownBody))};
}

Error fromStatusObject(int http, const Json& status) {
  Error error{codeOf(http, text(status, "reason")), text(status, "message")};
  if (const auto details = status.find("details"); details != status.end() && details->is_object()) {
    error.message += causesBeyond(error.message, *details);
    const auto seconds = details->find("retryAfterSeconds");
    if (seconds != details->end() && seconds->is_number_integer() && seconds->get<std::int64_t>() > 0) {
      error.retryAfter = std::chrono::seconds(seconds->get<std::int64_t>());
    }
  }
  return error;
}

}  // namespace pilotlight::kube
