// A gateway with a function "f" whose replica misbehaves, and "g", whose requests must not notice.
#pragma once

#include <dirent.h>

#include <set>
#include <sstream>

#include "fixture.h"
#include "raw_replica.h"

namespace pilotlight::gateway::test {

/// Descriptors that this process has open.
inline int openDescriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.';
  closedir(folder);
  return count - 1;  // without the folder's own
}

/// What a client sees of one answer. Interim answers are counted and skipped.
struct Seen {
  enum class End { whole, closed, reset, nothing };
  Response response;
  int interims = 0;
  End end = End::nothing;  ///< nothing: not whole within the time, and the connection is still open
  int status() const { return response.status; }
  bool whole() const { return end == End::whole; }
  bool cut() const { return end == End::closed || end == End::reset; }  ///< and the client can tell that something is missing
};

/// Reads one answer and not a byte more than it needs to know its end, or until the connection ends.
inline Seen readAnswer(int fd, milliseconds within = seconds(10)) {
  Seen seen;
  std::string text;
  const auto deadline = net::Clock::now() + within;
  const auto isWhole = [&] {
    seen.response = parse(text);
    while (seen.response.status / 100 == 1 && seen.response.status != 101) {
      ++seen.interims;
      text.erase(0, text.find("\r\n\r\n") + 4);
      seen.response = parse(text);
    }
    if (seen.response.status == 0) return false;
    const std::string length = seen.response.header("Content-Length");
    if (!length.empty()) return seen.response.body.size() >= std::stoull(length);
    if (!seen.response.header("Transfer-Encoding").empty()) return seen.response.body.ends_with("0\r\n\r\n");
    return seen.response.status == 101 || seen.response.status == 204 || seen.response.status == 304;
  };
  char buffer[65536];
  while (!isWhole()) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - net::Clock::now());
    pollfd waiter{fd, POLLIN, 0};
    if (left.count() <= 0 || poll(&waiter, 1, static_cast<int>(left.count())) <= 0) return seen;
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) {
      const bool byItsEnd = got == 0 && seen.response.status != 0 && seen.response.header("Content-Length").empty() &&
                            seen.response.header("Transfer-Encoding").empty();
      seen.end = byItsEnd ? Seen::End::whole : got == 0 ? Seen::End::closed : Seen::End::reset;
      return seen;
    }
    text.append(buffer, static_cast<std::size_t>(got));
  }
  seen.end = Seen::End::whole;
  return seen;
}

class FaultsTest : public GatewayTest {
 protected:
  static constexpr milliseconds kTimeout{250}, kWait{400};

  FaultsTest() {
    options_.loops = 1;  // so that "g" has one connection to its replica, in whatever order requests come
    options_.connectTimeout = milliseconds(100);
  }

  /// Starts the gateway with both functions and a replica for "g"; what is open from then on is what must be open at the end.
  void startBoth(milliseconds timeout = kTimeout, milliseconds wait = kWait) {
    api::FunctionRoute faulty = route("f");
    faulty.spec.backends[0].timeout = timeout;
    faulty.spec.backends[0].protocol = protocol_;
    faulty.spec.queue.wait = wait;
    faulty.spec.idleTimeout = timeout;
    apply(faulty);
    apply(route("g"));
    start();
    replica("bystander", bystander_, "g");
    ASSERT_EQ(call(gateway_->address(), "/g").status, 200);
    settled_ = openDescriptors();
  }

  void faultyReplica(const net::Address& at, const std::string& name = "faulty") { ASSERT_EQ(callHome(name, pod(name), at.port), 204); }

  /// Another function's request is answered as if nothing were wrong.
  void expectBystanderServed() {
    const auto response = call(gateway_->address(), "/g", "POST", "", "hello");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST / hello");
  }

  /// No slot taken, nothing queued, and no descriptor open that was not open before.
  void expectNothingLeft() {
    EXPECT_TRUE(idle()) << load().inFlight << " in flight, " << load().queued << " queued";
    EXPECT_TRUE(eventually([&] { return gaugesAreZero(); })) << gateway_->metrics();
    EXPECT_TRUE(eventually([&] { return openDescriptors() <= settled_; })) << openDescriptors() << " open, before " << settled_;
  }

  /// What /metrics tells of requests in flight and held, of every function; "g" at least is there.
  bool gaugesAreZero() {
    std::istringstream text(gateway_->metrics());
    int seen = 0;
    for (std::string line; std::getline(text, line);) {
      if (!line.starts_with("pilotlight_gateway_in_flight{") && !line.starts_with("pilotlight_gateway_queued{")) continue;
      if (!line.ends_with("} 0")) return false;
      ++seen;
    }
    return seen >= 2;
  }

  ServerFixture bystander_;
  api::Protocol protocol_ = api::Protocol::http1;  // of the faulty replica
  int settled_ = 0;
};

}  // namespace pilotlight::gateway::test
