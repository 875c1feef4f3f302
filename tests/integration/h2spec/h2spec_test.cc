// The server of lib/net under h2spec, the conformance tests for RFC 7540 and 7541 (which RFC 9113 left in force but for
// priorities): the strict cases as well, each in a connection of its own.
#include "tests/support/subprocess.h"
#include "tests/unit/net/harness.h"

namespace pilotlight::net {
namespace {

using namespace test;

/// Sends the body and the trailers back, and a line of its own, so that every answer has DATA.
struct Echo final : ExchangeHandler {
  void onBody(Exchange& exchange, std::string_view part) override {
    if (!exchange.write(part)) exchange.pauseBody();
  }
  void onBodyEnd(Exchange& exchange) override {
    exchange.write("the end\n");
    exchange.finish(exchange.trailers());
  }
  void onWritable(Exchange& exchange) override { exchange.resumeBody(); }
  void onEnd(Exchange&, bool) override { delete this; }
};

// http2/3.5/2 is left out: what does not begin like the preface is HTTP/1.1 on the same port, and answered with 400, where
// h2spec wants to see nothing but the end of the connection.
const std::vector<std::string> kCases = {"generic", "hpack", "http2/3.5/1", "http2/4", "http2/5", "http2/6", "http2/7", "http2/8"};
constexpr int kNumber = 145;

TEST(H2spec, PassesEveryCase) {
  ServerFixture fixture;
  fixture.app.takesOver = [](Exchange& exchange) {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    return new Echo;
  };
  std::vector<std::string> argv{H2SPEC_PROGRAM, "--strict",         "--timeout", "5",
                                "-h",           fixture.address.ip, "-p",        std::to_string(fixture.address.port)};
  argv.insert(argv.end(), kCases.begin(), kCases.end());
  const auto outcome = pilotlight::test::run({argv, {}, "."});
  EXPECT_EQ(outcome.exit, 0);
  const std::string number = std::to_string(kNumber);
  EXPECT_NE(outcome.out.find(number + " tests, " + number + " passed, 0 skipped, 0 failed"), std::string::npos) << outcome.all();
  EXPECT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.server->busy() + fixture.server->connections(); }) == 0; }));
}

}  // namespace
}  // namespace pilotlight::net
