// What each mode of the access log writes: the lines are complete once the gateway has ended.
#include "fixture.h"
#include "raw_replica.h"

namespace pilotlight::gateway::test {
namespace {

class AccessLogModesTest : public GatewayTest {
 protected:
  /// Requests that end well and badly; gives the log's lines about requests, status and completeness by path.
  std::map<std::string, std::string> linesWith(AccessLog mode) {
    options_.accessLog = mode;
    auto ok = route("ok"), full = route("full"), broken = route("broken");
    full.spec.queue.requests = 0;
    apply(ok);
    apply(full);
    apply(broken);
    start();
    ServerFixture server;
    server.app.answer = [](net::Exchange& exchange, const std::string&) {
      exchange.respond(exchange.head().path == "/missing" ? 404 : 200, "text/plain", "fine");
    };
    replica("p", server, "ok");
    RawReplica raw([](RawPeer& peer) {
      if (peer.readRequest() && peer.seen.starts_with("GET /cut ")) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly");
    });
    EXPECT_EQ(callHome("b", pod("b", "broken"), raw.address.port), 204);
    const net::Address at = gateway_->address();
    EXPECT_EQ(call(at, "/ok/fine").status, 200);
    EXPECT_EQ(call(at, "/ok/missing").status, 404);
    EXPECT_EQ(call(at, "/full/refused").status, 429);
    EXPECT_EQ(call(at, "/broken/failed").status, 502);
    EXPECT_EQ(call(at, "/broken/cut").status, 200);
    gateway_.reset();
    return requestLines();
  }

 private:
  std::map<std::string, std::string> requestLines() {
    std::map<std::string, std::string> lines;
    std::istringstream text(log());
    for (std::string line; std::getline(text, line);) {
      const Json json = Json::parse(line, nullptr, false);
      EXPECT_TRUE(json.is_object()) << line;
      if (!json.contains("path")) continue;
      lines[json["path"]] = std::to_string(json["status"].get<int>()) + (json["complete"].get<bool>() ? "" : ", cut");
    }
    return lines;
  }
};

using Lines = std::map<std::string, std::string>;

TEST_F(AccessLogModesTest, OffWritesNoRequest) {
  EXPECT_EQ(linesWith(AccessLog::off), Lines{});
}

TEST_F(AccessLogModesTest, ErrorsWritesWhatWasRefusedOrBroke) {
  EXPECT_EQ(linesWith(AccessLog::errors), (Lines{{"/full/refused", "429"}, {"/broken/failed", "502"}, {"/broken/cut", "200, cut"}}));
}

TEST_F(AccessLogModesTest, AllWritesEveryRequest) {
  EXPECT_EQ(
      linesWith(AccessLog::all),
      (Lines{
          {"/ok/fine", "200"}, {"/ok/missing", "404"}, {"/full/refused", "429"}, {"/broken/failed", "502"}, {"/broken/cut", "200, cut"}}));
}

}  // namespace
}  // namespace pilotlight::gateway::test
