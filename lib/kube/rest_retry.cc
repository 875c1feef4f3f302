#include "kube/rest_retry.h"

#include <algorithm>
#include <charconv>

#include "kube/status.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;

namespace {

/// Longer asks are a maintenance window, not a moment: the caller should know.
constexpr std::chrono::seconds kLongestRetryAfter{120};

bool worthAnother(const Error& error, Effect effect) {
  switch (error.code) {
    case ErrorCode::tooManyRequests:
    case ErrorCode::unavailable:
      return true;
    case ErrorCode::timeout:
      return effect == Effect::read;
    default:
      return false;
  }
}

}  // namespace

std::optional<milliseconds> retryDelay(const RetryOptions& options, const Error& error, Effect effect, int attempt, double jitter) {
  if (attempt >= options.attempts || !worthAnother(error, effect)) return std::nullopt;
  milliseconds delay = options.base;
  for (int i = 1; i < attempt && delay < options.cap; ++i) delay *= 2;
  delay = std::min(delay, options.cap);
  delay -= milliseconds(static_cast<milliseconds::rep>(static_cast<double>(delay.count()) * jitter / 2));
  return std::max(delay, error.retryAfter.value_or(milliseconds(0)));
}

Error answerError(int status, const std::string& body, const std::string& retryAfter, Effect effect) {
  Error error = fromStatus(status, body);
  int seconds = 0;
  const auto parsed = std::from_chars(retryAfter.data(), retryAfter.data() + retryAfter.size(), seconds);
  if (parsed.ec == std::errc{} && seconds >= 0) error.retryAfter = std::chrono::seconds(seconds);
  if (error.retryAfter) error.retryAfter = std::min<milliseconds>(*error.retryAfter, kLongestRetryAfter);
  if (effect == Effect::write && status >= 500 && !(status == 503 && error.retryAfter)) error.code = ErrorCode::timeout;
  return error;
}

}  // namespace pilotlight::kube
