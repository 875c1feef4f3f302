#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

TEST_F(GatewayTest, AcknowledgesRoutesOnceItServesThem) {
  apply(route());
  start();
  EXPECT_TRUE(eventually([&] { return acknowledged("f") == 1; }));
  auto changed = route();
  changed.spec.localPath = "/g";
  apply(changed);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 404);
}

TEST_F(GatewayTest, CarriesARequestAndItsAnswer) {
  apply(route());
  start();
  ServerFixture server;
  std::string seen;
  server.app.answer = [&](net::Exchange& exchange, const std::string& body) {
    seen = std::string(exchange.head().method) + " " + std::string(exchange.head().target) + "\n";
    for (const auto& field : exchange.head().headers) seen += std::string(field.name) + ": " + std::string(field.value) + "\n";
    const net::Header extra[] = {{"X-Custom", "yes"}, {"X-Pilotlight-Secret", "no"}};
    exchange.respond(201, "text/plain", "got " + body, extra);
  };
  replica("p", server);
  const auto response = call(
      gateway_->address(), "/f/a/b?x=1&y", "POST",
      "X-Pilotlight-Deadline: 1\r\nX-Forwarded-For: 9.9.9.9\r\nX-Request-Id: my-id\r\nTE: trailers\r\nX-Hop: 1\r\nConnection: X-Hop\r\n",
      "hello");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "got hello");
  EXPECT_EQ(response.header("X-Custom"), "yes");
  EXPECT_EQ(response.header("X-Pilotlight-Secret"), "");
  EXPECT_EQ(response.header("X-Request-Id"), "my-id");
  EXPECT_NE(seen.find("POST /a/b?x=1&y\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("X-Forwarded-For: 9.9.9.9, 127.0.0.1\n"), std::string::npos);
  EXPECT_NE(seen.find("X-Forwarded-Prefix: /f\n"), std::string::npos);
  EXPECT_NE(seen.find("X-Request-Id: my-id\n"), std::string::npos);
  EXPECT_NE(seen.find("X-Pilotlight-Deadline: 1"), std::string::npos);
  EXPECT_EQ(seen.find("X-Pilotlight-Deadline: 1\n"), std::string::npos) << "the client's own came through";
  EXPECT_EQ(seen.find("TE:"), std::string::npos);
  EXPECT_EQ(seen.find("X-Hop"), std::string::npos);
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, GivesPathParametersToTheFunction) {
  auto users = route();
  users.spec.routes = {{"/users/{id}", {"GET"}}};
  apply(users);
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) {
    exchange.respond(200, "text/plain", std::string(exchange.head().headers.get("X-Pilotlight-Param-id").value_or("none")));
  };
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f/users/a%20b").body, "a%20b");
  EXPECT_EQ(call(gateway_->address(), "/f/users/1", "POST").status, 405);
  EXPECT_EQ(call(gateway_->address(), "/f/other").status, 404);
  EXPECT_EQ(call(gateway_->address(), "/f/users/../users/1").status, 400);
}

TEST_F(GatewayTest, StreamsLargeBodiesBothWays) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string& body) { exchange.respond(200, "application/octet-stream", body); };
  replica("p", server);
  std::string body(16 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761U >> 24);
  RawClient client(gateway_->address());
  std::thread sender([&] {
    client.send("POST /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  });
  const auto response = parse(client.readAll(seconds(30)));
  sender.join();
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body == body);
}

TEST_F(GatewayTest, PassesEventsOnAsTheyCome) {
  apply(route());
  start();
  ServerFixture server;
  net::Exchange* open = nullptr;
  server.app.answer = [&](net::Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    exchange.write("data: 1\n\n");
    open = &exchange;
  };
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.readUntil("data: 1\n\n\r\n").ends_with("data: 1\n\n\r\n"));
  server.thread.sync([&] {
    open->write("data: 2\n\n");
    open->finish();
  });
  EXPECT_TRUE(client.readUntil("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST_F(GatewayTest, AnswersHeadWithTheLengthAndWithoutABody) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) { exchange.respond(200, "text/plain", "twelve bytes"); };
  replica("p", server);
  const auto response = call(gateway_->address(), "/f", "HEAD");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("Content-Length"), "12");
  EXPECT_EQ(response.body, "");
}

TEST_F(GatewayTest, HidesClusterFunctionsFromThePublicListener) {
  auto hidden = route();
  hidden.spec.visibility = api::Visibility::cluster;
  apply(hidden);
  start();
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 404);
  EXPECT_EQ(call(gateway_->internalAddress(), "/f").status, 200);
}

TEST_F(GatewayTest, DoesNotTellThatAClusterFunctionHasAPath) {
  auto hidden = route();
  hidden.spec.visibility = api::Visibility::cluster;
  hidden.spec.routes = {{"/orders", {"GET"}}};
  apply(hidden);
  start();
  EXPECT_EQ(call(gateway_->address(), "/f/orders", "DELETE").status, 404);
  EXPECT_EQ(call(gateway_->internalAddress(), "/f/orders", "DELETE").status, 405);
}

TEST_F(GatewayTest, NeverForwardsItsOwnOrTheShimsEndpoints) {
  auto all = route();
  all.spec.hosts = {"localhost"};
  apply(all);
  start();
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/_pilotlight/drain", "POST").status, 404);
  EXPECT_EQ(call(gateway_->address(), "/_pilotlight/register", "POST").status, 404);
  EXPECT_EQ(server.thread.sync([&] { return server.app.requests; }), 0);
}

TEST_F(GatewayTest, NeverForwardsTheShimsEndpointsBehindAPrefix) {
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f/_pilotlight/drain", "POST").status, 404);
  EXPECT_EQ(server.thread.sync([&] { return server.app.requests; }), 0);
}

TEST_F(GatewayTest, ShowsMetricsOnTheInternalListenerOnly) {
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
  ASSERT_TRUE(idle());
  const auto response = call(gateway_->internalAddress(), "/metrics");
  EXPECT_NE(response.body.find("pilotlight_gateway_requests_total{namespace=\"default\",function=\"f\",code=\"200\"} 1\n"),
            std::string::npos)
      << response.body;
  EXPECT_NE(response.body.find("pilotlight_gateway_replicas{namespace=\"default\",function=\"f\"} 1\n"), std::string::npos);
  EXPECT_NE(response.body.find("pilotlight_gateway_request_duration_seconds_count{namespace=\"default\",function=\"f\"} 1\n"),
            std::string::npos);
  EXPECT_EQ(call(gateway_->address(), "/metrics").status, 404);
}

TEST_F(GatewayTest, LogsRequestsAsJsonWithoutTheQuery) {
  options_.accessLog = AccessLog::all;
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f/x?token=geheim").status, 200);
  ASSERT_TRUE(eventually([&] { return log().find("\"msg\":\"request\"") != std::string::npos; }));
  const std::string all = log();
  const auto from = all.rfind('\n', all.find("\"msg\":\"request\"")) + 1;  // npos + 1 is 0: the first line
  const auto line = Json::parse(all.substr(from, all.find('\n', from) - from));
  EXPECT_EQ(line["function"], "f");
  EXPECT_EQ(line["status"], 200);
  EXPECT_EQ(line["path"], "/f/x");
  EXPECT_EQ(log().find("geheim"), std::string::npos);
}

TEST_F(GatewayTest, LogsWhatNoFunctionTakes) {
  options_.accessLog = AccessLog::all;
  start();
  EXPECT_EQ(call(gateway_->address(), "/nobody?secret=geheim").status, 404);
  ASSERT_TRUE(eventually([&] { return log().find("\"routed\":false") != std::string::npos; }));
  EXPECT_NE(log().find("\"path\":\"/nobody\""), std::string::npos);
  EXPECT_EQ(log().find("geheim"), std::string::npos);
}

TEST_F(GatewayTest, StoppingWithoutGraceIsSafeAtAnyMoment) {
  for (int i = 0; i < 50; ++i) {
    start();
    RawClient client(gateway_->address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    gateway_->stop(milliseconds(0));
  }
}

TEST_F(GatewayTest, StopAnswersWhatIsOpen) {
  apply(route());
  start();
  ServerFixture server;
  std::atomic<bool> arrived = false;
  net::Exchange* open = nullptr;
  server.app.answer = [&](net::Exchange& exchange, const std::string&) {
    open = &exchange;
    arrived = true;
  };
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return arrived.load(); }));
  std::thread stopper([&] { gateway_->stop(seconds(10)); });
  server.thread.sync([&] { open->respond(200, "text/plain", "last"); });
  EXPECT_EQ(parse(client.readAll()).body, "last");
  stopper.join();
}

}  // namespace
}  // namespace pilotlight::gateway::test
