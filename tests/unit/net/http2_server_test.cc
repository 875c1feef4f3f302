// What a server of HTTP/2 says to well-behaved clients that are not ours: curl, nghttp, h2load.
#include <fstream>

#include "harness.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::net {
namespace {

using namespace test;
using pilotlight::test::TempDir;

std::string urlOf(const ServerFixture& fixture, const std::string& path = "/") {
  return "http://" + fixture.address.toString() + path;
}

pilotlight::test::Outcome curl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"curl", "-sS", "--max-time", "50", "--http2-prior-knowledge"});
  return pilotlight::test::run({arguments, {}, "."});
}

/// Sends the request's body back as it comes.
struct Echo final : ExchangeHandler {
  void onBody(Exchange& exchange, std::string_view part) override {
    if (!exchange.write(part)) exchange.pauseBody();
  }
  void onBodyEnd(Exchange& exchange) override { exchange.finish(exchange.trailers()); }
  void onWritable(Exchange& exchange) override { exchange.resumeBody(); }
  void onEnd(Exchange&, bool) override { delete this; }

  static ExchangeHandler* begin(Exchange& exchange) {
    exchange.sendContinue();
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    return new Echo;
  }
};

TEST(Http2Server, AnswersCurlAsHttp1WouldBeAnswered) {
  ServerFixture fixture;
  fixture.app.answer = [](Exchange& exchange, const std::string& body) {
    const RequestHead& head = exchange.head();
    const std::string text = std::string(head.method) + "|" + std::string(head.path) + "|" + std::string(head.query) + "|" +
                             std::string(head.host) + "|" + std::string(head.headers.get("x-given").value_or("")) + "|" + body + "|" +
                             std::to_string(head.major) + "\n";
    const Header extra[] = {{"X-Mixed-Case", "yes"}, {"Connection", "close"}, {"Keep-Alive", "timeout=5"}};
    exchange.respond(201, "text/plain", text, extra);
  };
  const auto outcome = curl({"-i", "-H", "Host: some.example", "-H", "X-Given: 1", "-d", "abc", urlOf(fixture, "/p/q?r=s")});
  EXPECT_EQ(outcome.exit, 0) << outcome.all();
  EXPECT_NE(outcome.out.find("HTTP/2 201"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("POST|/p/q|r=s|some.example|1|abc|2\n"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("x-mixed-case: yes"), std::string::npos);
  EXPECT_NE(outcome.out.find("content-length: "), std::string::npos);
  EXPECT_NE(outcome.out.find("date: "), std::string::npos);
  EXPECT_EQ(outcome.out.find("onnection"), std::string::npos) << outcome.out;
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.completed; }), 1);
}

TEST(Http2Server, ServesHttp1AndHttp2OnOnePort) {
  ServerFixture fixture;
  EXPECT_NE(curl({"-i", urlOf(fixture)}).out.find("HTTP/2 200"), std::string::npos);
  EXPECT_NE(curl({"-i", "--http1.1", urlOf(fixture)}).out.find("HTTP/1.1 200"), std::string::npos);
}

TEST(Http2Server, LeavesHttp2ToNobodyWhenItIsSwitchedOff) {
  ServerFixture fixture({.http2 = false});
  RawClient client(fixture.address);
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(client.readAll().starts_with("HTTP/1.1 505 "));
}

TEST(Http2Server, StreamsALargeBodyBothWays) {
  ServerFixture fixture;
  fixture.app.takesOver = Echo::begin;
  TempDir folder;
  std::string content;
  for (std::uint32_t i = 0; content.size() < 20u << 20; ++i) content += std::to_string(i * 2654435761u) + "\n";
  pilotlight::test::writeFile(folder.path() / "in", content);
  const std::string in = (folder.path() / "in").string(), out = (folder.path() / "out").string();
  const auto outcome = curl({"-T", in, "-o", out, urlOf(fixture)});
  EXPECT_EQ(outcome.exit, 0) << outcome.all();
  EXPECT_TRUE(pilotlight::test::readFile(out) == content) << "what came back differs";
}

TEST(Http2Server, TakesTrailersAndSendsThem) {
  ServerFixture fixture;
  fixture.app.takesOver = Echo::begin;
  TempDir folder;
  pilotlight::test::writeFile(folder.path() / "in", "a body");
  const auto outcome = pilotlight::test::run({{"nghttp", "-v", "--no-dep", "-t", "20", "-d", (folder.path() / "in").string(), "--trailer",
                                               "x-checksum: 42", "--trailer", "authorization: x", urlOf(fixture)},
                                              {},
                                              "."});
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_NE(outcome.out.find("a body"), std::string::npos) << outcome.out;
  const auto received = outcome.out.find(") x-checksum: 42");  // "recv (stream_id=1) x-checksum: 42"
  EXPECT_NE(received, std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.out.find(") authorization: x"), std::string::npos) << "not believed when it comes last";
}

TEST(Http2Server, ServesManyStreamsOfManyConnections) {
  ServerFixture fixture;
  const auto outcome = pilotlight::test::run(
      {{"h2load", "-n", "20000", "-c", "8", "-m", "100", "--connection-inactivity-timeout=20", urlOf(fixture)}, {}, "."});
  EXPECT_NE(outcome.out.find("20000 succeeded, 0 failed, 0 errored, 0 timeout"), std::string::npos) << outcome.all();
  EXPECT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.server->connections() + fixture.server->busy(); }) == 0; }));
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.completed; }), 20000);
}

TEST(Http2Server, DrainsUnderLoadWithoutLosingARequest) {
  ServerFixture fixture;
  pilotlight::test::Subprocess load({{"h2load", "-n", "200000", "-c", "4", "-m", "20", urlOf(fixture)}, {}, "."});
  ASSERT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.requests; }) > 1000; }));
  std::promise<void> drained;
  fixture.thread.sync([&] { fixture.server->drain([&] { drained.set_value(); }); });
  EXPECT_EQ(drained.get_future().wait_for(seconds(20)), std::future_status::ready);
  EXPECT_TRUE(load.wait(seconds(20)));
  // Requests that were begun are answered; the rest of h2load's are not sent once it has read GOAWAY.
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.broken; }), 0);
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.requests - fixture.app.completed; }), 0);
}

}  // namespace
}  // namespace pilotlight::net
