#include "cli/status.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace pilotlight::cli {

using kube::ErrorCode;

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

nlohmann::json toStatus(const kube::Error& error) {
  const Row& row = rowOf(error.code);
  nlohmann::json status = {{"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", nlohmann::json::object()},
                           {"status", "Failure"}, {"message", error.message}, {"reason", row.reason},
                           {"code", row.http}};
  if (error.retryAfter) {
    status["details"]["retryAfterSeconds"] = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(*error.retryAfter).count());
  }
  return status;
}

kube::Error fromStatus(int http, const std::string& body) {
  const auto status = nlohmann::json::parse(body, nullptr, false);
  std::string reason, message;
  if (status.is_object()) {
    if (const auto value = status.find("reason"); value != status.end() && value->is_string()) reason = *value;
    if (const auto value = status.find("message"); value != status.end() && value->is_string()) message = *value;
  }
  if (message.empty()) message = "HTTP " + std::to_string(http) + (body.empty() ? "" : ": " + body.substr(0, kShownBody));
  for (const Row& row : kRows) {
    if (row.http == http && (reason.empty() || reason == row.reason)) return {row.code, message};
  }
  for (const Row& row : kRows) {
    if (row.http == http) return {row.code, message};
  }
  return {http < 500 ? ErrorCode::badRequest : ErrorCode::unavailable, message};
}

}  // namespace pilotlight::cli
