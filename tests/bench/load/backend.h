// The server behind what is measured: fixed answers by the last segment of the path (/100, /10k, /1m), after ?delay=N
// milliseconds; uploads are swallowed. It asserts what each of its addresses was promised: at most so many requests at once.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/socket.h"
#include "tests/bench/load/message.h"
#include "tests/bench/load/poller.h"

namespace pilotlight::bench {

struct BackendAddress {
  net::Address address;
  int limit = 0;  ///< of requests at once; 0: none. A request beyond it is counted and answered with a 500
};

/// "127.0.0.1:9000" or "127.0.0.1:9000/8", with a limit of 8.
std::expected<BackendAddress, std::string> parseBackendAddress(std::string_view text);

class Backend {
 public:
  explicit Backend(Poller& poller);
  ~Backend();
  std::expected<void, std::string> listen(const BackendAddress& at);

  TimePoint nextDue() const { return delayed_.empty() ? TimePoint::max() : delayed_.begin()->first; }
  void onTime(TimePoint now);
  std::uint64_t overLimit() const { return overLimit_; }

 private:
  class Listener;
  class Connection;

  const Message& answerTo(std::string_view startLine) const;
  Connection& takeConnection();

  Poller& poller_;
  const Message small_, middle_, large_, refusal_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;  // all there ever were
  std::vector<Connection*> spare_;
  std::multimap<TimePoint, Connection*> delayed_;
  std::uint64_t overLimit_ = 0;
};

}  // namespace pilotlight::bench
