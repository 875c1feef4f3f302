#include "net/http2_guard.h"

#include <algorithm>
#include <chrono>

namespace pilotlight::net {

bool Allowance::take(Clock::time_point now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - refilled_).count();
  if (seconds > 0) {
    left_ = static_cast<int>(std::min<long long>(most_, left_ + std::min<long long>(seconds, most_) * perSecond_));
    refilled_ = now;
  }
  if (left_ == 0) return false;
  --left_;
  return true;
}

std::uint32_t Http2Guard::onFrame(const nghttp2_frame_hd& head, Clock::time_point now) {
  switch (head.type) {
    case NGHTTP2_WINDOW_UPDATE:
      return NGHTTP2_NO_ERROR;
    case NGHTTP2_HEADERS:
      empty_.give();
      return head.stream_id >= skippedFrom_ && head.stream_id <= skippedTo_ ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_NO_ERROR;
    case NGHTTP2_DATA:
      if (head.length == 0 && !(head.flags & NGHTTP2_FLAG_END_STREAM)) break;
      empty_.give();
      return NGHTTP2_NO_ERROR;
    default:
      break;
  }
  return onInvalidFrame(now);
}

std::uint32_t Http2Guard::onInvalidFrame(Clock::time_point now) {
  return empty_.take(now) ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
}

std::uint32_t Http2Guard::onStreamClosed(bool byReset, Clock::time_point now) {
  if (byReset && server_) return resets_.take(now) ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
  resets_.give();
  return NGHTTP2_NO_ERROR;
}

void Http2Guard::opened(std::int32_t id) {
  if (id > last_ + 2) {
    skippedFrom_ = last_ + 2;
    skippedTo_ = id - 2;
  }
  last_ = id;
}

}  // namespace pilotlight::net
