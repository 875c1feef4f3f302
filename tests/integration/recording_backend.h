// An HTTP server that shares no code with ours: it writes down each request as it came, and says when its framing could be read
// in more than one way.
#pragma once

#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.h"

namespace pilotlight::test {

struct RecordedRequest {
  std::string raw;
  std::string seen;     ///< "METHOD target body"
  std::string problem;  ///< why it is not one request in one unambiguous framing; empty when it is
};

class RecordingBackend {
 public:
  RecordingBackend();
  ~RecordingBackend();
  std::uint16_t port() const { return port_; }
  std::vector<RecordedRequest> take();  ///< what came since the last time

 private:
  void serve();
  bool answer(int fd, std::string& buffer);

  net::Fd listener_, stop_;
  std::uint16_t port_;
  std::mutex mutex_;
  std::vector<RecordedRequest> requests_;
  std::thread thread_;  // last: it uses the others
};

/// The first request in `buffer`, taken out of it; false while it is not whole. One with a problem takes the whole buffer.
bool takeRequest(std::string& buffer, RecordedRequest& request);

}  // namespace pilotlight::test
