// HTTP as it passes through the gateway: what is kept, what is changed, what is refused.
#include <fstream>

#include "echo_tunnel.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

/// "X-Name: value" lines of what the replica saw.
std::string fieldsOf(const net::Exchange& exchange) {
  std::string text;
  for (const net::Header& field : exchange.head().headers) text += std::string(field.name) + ": " + std::string(field.value) + "\n";
  return text;
}

constexpr std::string_view kUpgrade =
    "GET /f/chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

long residentKib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  return 0;
}

TEST_F(GatewayTest, TellsTheFunctionWhereTheRequestCameFrom) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) { exchange.respond(200, "text/plain", fieldsOf(exchange)); };
  replica("p", server);
  const std::string plain = call(gateway_->address(), "/f").body;
  EXPECT_NE(plain.find("X-Forwarded-For: 127.0.0.1\n"), std::string::npos) << plain;
  EXPECT_NE(plain.find("X-Forwarded-Proto: http\n"), std::string::npos);
  EXPECT_NE(plain.find("X-Forwarded-Host: localhost\n"), std::string::npos);
  EXPECT_NE(plain.find("Forwarded: for=127.0.0.1;host=\"localhost\";proto=http\n"), std::string::npos);
  EXPECT_NE(plain.find("Via: 1.1 pilotlight\n"), std::string::npos);
  const std::string behind = call(gateway_->address(), "/f", "GET",
                                  "Via: 1.1 cdn\r\nForwarded: for=9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 9.9.9.9\r\n")
                                 .body;
  EXPECT_NE(behind.find("Via: 1.1 cdn, 1.1 pilotlight\n"), std::string::npos) << behind;
  EXPECT_NE(behind.find("Forwarded: for=9.9.9.9, for=127.0.0.1;"), std::string::npos);
  EXPECT_NE(behind.find("X-Forwarded-Proto: https\n"), std::string::npos);
  EXPECT_NE(behind.find("X-Forwarded-For: 9.9.9.9, 127.0.0.1\n"), std::string::npos);
}

TEST_F(GatewayTest, CarriesTrailersBothWays) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string& body) {
    std::string text = body;
    for (const net::Header& field : exchange.trailers()) text += " " + std::string(field.name) + " " + std::string(field.value);
    exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    exchange.write(text);
    const net::Header trailers[] = {{"X-Took", "5"}};
    exchange.finish(trailers);
  };
  replica("p", server);
  RawClient client(gateway_->address());
  client.send(
      "POST /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
      "3\r\nabc\r\n0\r\nX-Sum: 42\r\nContent-Length: 7\r\nX-Pilotlight-Param-id: 7\r\nX-Request-Id: 7\r\n\r\n");
  const std::string answer = client.readUntil("X-Took: 5\r\n\r\n");
  EXPECT_NE(answer.find("\r\nabc X-Sum 42\r\n0\r\nX-Took: 5\r\n\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, WhatAReplicaGetsOfTheLargestRequestIsNoLargerThanItTakes) {
  auto all = route(), named = route("g");
  named.spec.routes = {{"/{proxy+}", {}}};
  apply(all);
  apply(named);
  start();
  ServerFixture server({.head = {.fields = net::Headers::kMax}});  // as a shim
  replica("p", server);
  replica("q", server, "g");
  const std::string cookie = "Cookie: " + std::string(3'000, 'c') + "\r\n", path = "/" + std::string(8'000, 'p');
  EXPECT_EQ(call(gateway_->address(), "/f" + path, "GET", cookie).status, 200) << "a path is no parameter of a function without routes";
  EXPECT_EQ(call(gateway_->address(), "/g" + path, "GET", cookie).status, 414) << "a parameter is sent beside the path";
  EXPECT_EQ(call(gateway_->address(), "/g" + path.substr(0, 5'000), "GET", cookie).status, 200);
}

TEST_F(GatewayTest, PassesInterimAnswersOnToClientsOfHttp11) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) {
    const net::Header hints[] = {{"Link", "</a.css>; rel=preload"}};
    exchange.sendInterim(103, hints);
    exchange.respond(200, "text/plain", "page");
  };
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answer = client.readUntil("page");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n")) << answer;
  EXPECT_NE(answer.find("\r\n\r\nHTTP/1.1 200 OK\r\n"), std::string::npos);
  RawClient old(gateway_->address());
  old.send("GET /f HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(old.readAll().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(GatewayTest, AsksForTheBodyOnceTheRequestHasAReplica) {
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("POST /f HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.readUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_TRUE(client.readUntil("POST / abc").ends_with("POST / abc"));
}

TEST_F(GatewayTest, AnswersPipelinedRequestsInTheirOrder) {
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  RawClient client(gateway_->address());
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += "POST /f/" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
  client.send(requests);
  const std::string answers = client.readUntil("POST /19 ab");
  std::size_t at = 0;
  for (int i = 0; i < 20; ++i) {
    const std::size_t found = answers.find("POST /" + std::to_string(i) + " ab", at);
    ASSERT_NE(found, std::string::npos) << i;
    at = found;
  }
}

TEST_F(GatewayTest, PassesBodilessAndPartialAnswersAsTheyAre) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) {
    const std::string_view path = exchange.head().path;
    if (path == "/204") return exchange.respond(204, "", "");
    if (path == "/304") {
      const net::Header tag[] = {{"ETag", "\"1\""}};
      return exchange.respond(304, "", "", tag);
    }
    const net::Header range[] = {{"Content-Range", "bytes 2-4/10"}};
    exchange.respond(206, "text/plain", exchange.head().headers.get("Range") == "bytes=2-4" ? "cde" : "?", range);
  };
  replica("p", server);
  const auto none = call(gateway_->address(), "/f/204");
  EXPECT_EQ(none.status, 204);
  EXPECT_EQ(none.header("Content-Length"), "");
  EXPECT_EQ(none.header("Transfer-Encoding"), "");
  const auto same = call(gateway_->address(), "/f/304");
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.header("ETag"), "\"1\"");
  EXPECT_EQ(same.body, "");
  const auto part = call(gateway_->address(), "/f/part", "GET", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(part.body, "cde");
}

TEST_F(GatewayTest, ServesClientsOfHttp10) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    exchange.write("streamed");
    exchange.finish();
  };
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.0\r\n\r\n");
  const auto response = parse(client.readAll());
  EXPECT_EQ(response.body, "streamed") << "framed by the end of the connection";
  EXPECT_EQ(response.header("Transfer-Encoding"), "");
}

TEST_F(GatewayTest, CarriesAnUpgradedConnectionBothWaysUntilBothSidesHaveClosed) {
  options_.accessLog = AccessLog::all;
  apply(route());
  start();
  ServerFixture server;
  server.app.takesOver = EchoTunnel::accept;
  replica("p", server);
  RawClient client(gateway_->address());
  client.send(std::string(kUpgrade) + "early");
  const std::string head = client.readUntil("early");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
  EXPECT_NE(head.find("Upgrade: websocket\r\n"), std::string::npos);
  EXPECT_NE(head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\nearly"));
  std::string big(4 << 20, 'x');
  big.back() = '!';
  std::thread sender([&] { client.send(big); });
  EXPECT_EQ(client.readUntil("!").size(), big.size());
  sender.join();
  EXPECT_EQ(load().inFlight, 1) << "the connection holds its slot";
  client.send("last words");
  client.shutdownWrite();
  EXPECT_EQ(client.readAll(), "last words");
  EXPECT_TRUE(idle());
  EXPECT_TRUE(eventually([&] { return log().find("\"status\":101") != std::string::npos; }));
}

TEST_F(GatewayTest, EndsAnUpgradedConnectionThatIsIdleForTooLong) {
  auto quick = route();
  quick.spec.idleTimeout = milliseconds(50);
  apply(quick);
  start();
  ServerFixture server;
  server.app.takesOver = EchoTunnel::accept;
  replica("p", server);
  RawClient client(gateway_->address());
  client.send(kUpgrade);
  EXPECT_TRUE(client.readUntil("\r\n\r\n").starts_with("HTTP/1.1 101"));
  EXPECT_TRUE(client.atEof());
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, PassesARefusalToUpgradeOnAndKeepsTheConnection) {
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  RawClient client(gateway_->address());
  client.send(kUpgrade);
  EXPECT_TRUE(client.readUntil("GET /chat ").starts_with("HTTP/1.1 200 OK"));
  client.send("GET /f/next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.readUntil("GET /next ").starts_with("HTTP/1.1 200 OK"));
}

TEST_F(GatewayTest, RefusesWhatIsBeyondTheFunctionsLimits) {
  auto small = route();
  small.spec.limits.headers = 5;
  small.spec.limits.headerBytes = {1024};
  small.spec.limits.url = {64};
  small.spec.limits.body = {100};
  apply(small);
  start();
  ServerFixture server;
  replica("p", server);
  const net::Address at = gateway_->address();
  EXPECT_EQ(call(at, "/f", "POST", "", std::string(100, 'x')).status, 200);
  const auto body = call(at, "/f", "POST", "", std::string(101, 'x'));
  EXPECT_EQ(body.status, 413);
  EXPECT_NE(body.body.find("http.limits.body"), std::string::npos) << body.body;
  EXPECT_EQ(call(at, "/f/" + std::string(100, 'a')).status, 414);
  EXPECT_EQ(call(at, "/f", "GET", "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n").status, 431);
  EXPECT_EQ(call(at, "/f", "GET", "A: " + std::string(1100, 'a') + "\r\n").status, 431);
  EXPECT_EQ(call(at, "/f", "POST", "Expect: 100-continue\r\n", std::string(101, 'x')).status, 413) << "without asking for the body";
  EXPECT_EQ(server.thread.sync([&] { return server.app.requests; }), 1);
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, StopsAStreamedBodyThatGrowsBeyondTheLimit) {
  auto small = route();
  small.spec.limits.body = {100'000};
  apply(small);
  start();
  ServerFixture server;
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("POST /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string part = "2710\r\n" + std::string(10'000, 'x') + "\r\n";
  for (int i = 0; i < 11; ++i) client.send(part);
  EXPECT_EQ(parse(client.readAll()).status, 413);
  EXPECT_TRUE(idle());
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.broken; }) == 1; })) << "the handler's request is cut";
}

TEST_F(GatewayTest, KeepsMemoryConstantOverAGibibyteBothWays) {
  auto large = route();
  large.spec.limits.body = {1LL << 30};
  apply(large);
  start();
  ServerFixture server;
  server.app.takesOver = [](net::Exchange& exchange) -> net::ExchangeHandler* {
    struct Echo final : net::ExchangeHandler {
      void onBody(net::Exchange& e, std::string_view part) override {
        if (!e.write(part)) e.pauseBody();
      }
      void onBodyEnd(net::Exchange& e) override { e.finish(); }
      void onWritable(net::Exchange& e) override { e.resumeBody(); }
      void onEnd(net::Exchange&, bool) override { delete this; }
    };
    exchange.sendHead(200, "OK", {}, {net::BodyKind::length, exchange.head().length});
    return new Echo;
  };
  replica("p", server);
  const std::size_t size = std::size_t{1} << 30;
  RawClient client(gateway_->address());
  client.send("POST /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  const std::string part(1 << 20, 'x');
  client.send(part);
  const long before = residentKib();
  std::thread sender([&] {
    for (std::size_t sent = part.size(); sent < size; sent += part.size()) client.send(part);
  });
  std::size_t got = 0;
  long most = 0;
  std::string buffer(1 << 20, '\0');
  for (ssize_t n; (n = recv(client.fd(), buffer.data(), buffer.size(), 0)) > 0;) {
    got += static_cast<std::size_t>(n);
    if (got % (64 << 20) < static_cast<std::size_t>(n)) most = std::max(most, residentKib());
  }
  sender.join();
  EXPECT_GT(got, size);
  EXPECT_LT(got, size + 1000);
  EXPECT_LT(most - before, 16 * 1024) << "KiB";
}

}  // namespace
}  // namespace pilotlight::gateway::test
