// When a failed request is sent again. Pure: no clock, no random source.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kube/types.h"

namespace pilotlight::kube {

struct RetryOptions {
  int attempts = 5;  ///< the first one included
  std::chrono::milliseconds base{100};
  std::chrono::milliseconds cap{std::chrono::seconds(5)};
};

enum class Effect { read, write };

/// The wait before the next attempt; nullopt: the error is the outcome.
/// `attempt` counts from 1, `jitter` is from [0, 1): waits are base * 2^(attempt-1), at most cap, shortened by up to a half,
/// but never shorter than the server asked for.
/// 429: the server did nothing, by definition (API priority and fairness). unavailable: a read, or a write that was not
/// sent or was refused. timeout: reads only, since a write may have happened.
std::optional<std::chrono::milliseconds> retryDelay(const RetryOptions& options, const Error& error, Effect effect, int attempt,
                                                    double jitter);

/// What an answer of 400 or more means. `retryAfter` is the header's text. A write answered with a 5xx is undecided
/// (timeout) unless it is a 503 with a Retry-After: the storage, or a proxy, may have failed after it was done.
Error answerError(int status, const std::string& body, const std::string& retryAfter, Effect effect);

}  // namespace pilotlight::kube
