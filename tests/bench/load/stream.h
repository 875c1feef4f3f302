// Requests of one kind over a number of connections, and what became of them.
//
// Closed loop: each connection sends its next request when it has the answer to the last. Open loop: requests are due at a
// constant rate, whatever the answers do, and a latency counts from the moment at which the request was due: a server that
// stalls is charged with all that should have been sent meanwhile.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/socket.h"
#include "tests/bench/load/histogram.h"
#include "tests/bench/load/message.h"
#include "tests/bench/load/poller.h"

namespace pilotlight::bench {

struct StreamOptions {
  net::Address to;
  int connections = 1;
  double rate = 0;         ///< requests per second, open loop; 0: closed loop
  std::int64_t limit = 0;  ///< end after so many requests; 0: none
  bool fresh = false;      ///< a connection per request
  std::string host = "localhost", path = "/";
  int vary = 1;            ///< '%' in host and path is replaced by 0, 1, ... in an order without pattern
  std::size_t upload = 0;  ///< bytes of body; 0: a GET
};

/// What is counted: in closed loop the answers of the window, in open loop the requests that were due in it.
struct Window {
  TimePoint begin, end;
  bool holds(TimePoint at) const { return at >= begin && at < end; }
};

struct Tally {
  std::map<int, std::uint64_t> statuses;
  std::uint64_t failures = 0;  ///< connections that broke under a request
  std::uint64_t lost = 0;      ///< open loop: due, but never answered
  Histogram answered;          ///< status 2xx
  Histogram refused;           ///< any other
};

class Stream {
 public:
  Stream(Poller& poller, StreamOptions options);
  ~Stream();

  void start(Window window, TimePoint now);
  TimePoint nextDue() const;
  void onTime(TimePoint now);
  void stop(TimePoint now);  ///< nothing new; in open loop what was due before is still sent
  bool finished() const;     ///< after stop(), or when `limit` requests are through: nothing is under way
  void giveUp();             ///< what has no answer by now is lost

  const Tally& tally() const { return tally_; }
  std::size_t openConnections() const;
  const StreamOptions& options() const { return options_; }

 private:
  class Connection;

  const Message& nextRequest();
  bool mayStart(TimePoint now) const;
  TimePoint dueAt(std::int64_t index) const;
  void startDue(TimePoint now);
  void startOn(Connection& connection, TimePoint now);
  void onFree(Connection& connection, TimePoint now);
  void onAnswer(Connection& connection, TimePoint due, int status, TimePoint now);
  void onFailure(Connection& connection, TimePoint due, TimePoint now);

  Poller& poller_;
  const StreamOptions options_;
  const net::SocketAddress to_;
  std::vector<Message> requests_;
  std::size_t next_ = 0;  // of requests_
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Connection*> free_;     // the one that rested longest goes next: many clients, not a few busy ones
  std::vector<Connection*> broken_;  // tried again at retry_
  TimePoint retry_ = TimePoint::max();
  TimePoint began_, stopped_ = TimePoint::max();
  Window window_{};
  std::int64_t begun_ = 0;  // requests
  std::int64_t underWay_ = 0;
  Tally tally_;
};

}  // namespace pilotlight::bench
