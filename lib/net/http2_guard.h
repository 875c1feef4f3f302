// What a peer of HTTP/2 may not do, beyond what nghttp2 checks: floods, and opening streams out of order. Internal to lib/net.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>

#include "net/loop.h"

namespace pilotlight::net {

/// How many times something may happen that costs us more than the peer: refilled by time, and by work that is worth it.
class Allowance {
 public:
  Allowance(int most, int perSecond) : most_(most), perSecond_(perSecond), left_(most) {}
  bool take(Clock::time_point now);  ///< false: used up
  void give() { left_ += left_ < most_; }

 private:
  const int most_, perSecond_;
  int left_;
  Clock::time_point refilled_{};
};

/// Each returns the error to end the connection with; NGHTTP2_NO_ERROR: none.
class Http2Guard {
 public:
  explicit Http2Guard(bool server) : server_(server) {}
  std::uint32_t onFrame(const nghttp2_frame_hd& head, Clock::time_point now);
  std::uint32_t onInvalidFrame(Clock::time_point now);
  /// `byReset`: also a reset that the peer has made us send.
  std::uint32_t onStreamClosed(bool byReset, Clock::time_point now);

  void opened(std::int32_t id);  ///< by the peer

 private:
  // Resets are free while about every second stream is let run to its end; else 500, then 33 a second (CVE-2023-44487).
  Allowance resets_{500, 33};
  // Frames that carry nothing: as many as there are that do; else 1000, then 100 a second.
  Allowance empty_{1000, 100};
  const bool server_;
  std::int32_t last_ = -1;
  std::int32_t skippedFrom_ = 0, skippedTo_ = -1;  // the ids left out last: they can't come any more
};

}  // namespace pilotlight::net
