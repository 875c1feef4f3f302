// Replicas that refuse, are gone, break, hang or drain; and what the client sees of it.
#include <sys/socket.h>

#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

void refuse(net::Exchange& exchange, std::string_view why) {
  const net::Header extra[] = {{"X-Pilotlight-Refused", why}};
  exchange.respond(503, "text/plain", "refused", extra);
}

TEST_F(GatewayTest, SendsAMarkedRefusalElsewhere) {
  apply(route());
  start();
  ServerFixture refusing, serving;
  refusing.app.answer = [](net::Exchange& exchange, const std::string&) { refuse(exchange, "draining"); };
  replica("p1", refusing);
  replica("p2", serving);
  for (int i = 0; i < 4; ++i) {
    const auto response = call(gateway_->address(), "/f", "POST", "", "payload");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST / payload");
  }
  EXPECT_EQ(refusing.thread.sync([&] { return refusing.app.requests; }), 1) << "one that drains is asked once";
}

TEST_F(GatewayTest, WaitsForTheOnlyReplicaThatIsFullOrStarting) {
  apply(route());
  start();
  ServerFixture server;
  int refusals = 0;
  server.app.answer = [&](net::Exchange& exchange, const std::string& body) {
    if (refusals++ < 6) return refuse(exchange, refusals % 2 ? "concurrency" : "starting");
    exchange.respond(200, "text/plain", body);
  };
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "again").body, "again");
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, DoesNotTrustAnUnmarked503) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) { exchange.respond(503, "text/plain", "mine"); };
  replica("p", server);
  EXPECT_EQ(call(gateway_->address(), "/f").body, "mine");
  EXPECT_EQ(server.thread.sync([&] { return server.app.requests; }), 1);
}

TEST_F(GatewayTest, TriesAnotherReplicaWhenOneCantBeReached) {
  apply(route());
  start();
  ServerFixture serving;
  const net::test::DeadPort dead;
  ASSERT_EQ(callHome("dead", pod("dead"), dead.address.port), 204);
  replica("alive", serving);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "x").status, 200);
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, HoldsARequestWhenTheOnlyReplicaIsGoneUntilTheNextOne) {
  apply(route());
  start();
  const net::test::DeadPort dead;
  ASSERT_EQ(callHome("dead", pod("dead"), dead.address.port), 204);
  std::thread client([&] { EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "kept").body, "POST / kept"); });
  ASSERT_TRUE(eventually([&] {
    return gateway_->metrics().find("pilotlight_gateway_retries_total{namespace=\"default\",function=\"f\"} 0") == std::string::npos;
  }));
  ServerFixture next;
  replica("next", next);
  client.join();
}

/// A replica that the test plays byte by byte.
class Scripted {
 public:
  explicit Scripted(std::function<void(int fd)> script)
      : listener_(*net::listenTcp({"127.0.0.1", 0})), port(net::localAddress(listener_.get()).port) {
    thread_ = std::thread([this, script = std::move(script)] {
      pollfd waiter{listener_.get(), POLLIN, 0};
      while (!stop_) {
        if (poll(&waiter, 1, 10) <= 0) continue;
        net::Fd fd(accept(listener_.get(), nullptr, nullptr));
        char buffer[65536];
        if (recv(fd.get(), buffer, sizeof buffer, 0) <= 0) continue;
        ++requests;
        script(fd.get());
      }
    });
  }
  ~Scripted() {
    stop_ = true;
    thread_.join();
  }
  static void say(int fd, std::string_view text) { send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

 private:
  net::Fd listener_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;

 public:
  const std::uint16_t port;
  std::atomic<int> requests = 0;
};

TEST_F(GatewayTest, Answers502AtOnceWhenAReplicaDiesWithTheRequest) {
  apply(route());
  start();
  Scripted dying([](int) {});
  ASSERT_EQ(callHome("p", pod("p"), dying.port), 204);
  const auto response = call(gateway_->address(), "/f");
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(dying.requests, 1) << "sent twice although the function does not allow it";
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, SendsAnIdempotentRequestAgainWhenTheFunctionAllowsIt) {
  auto retrying = route();
  retrying.spec.retry = api::Retry::idempotent;
  apply(retrying);
  start();
  std::atomic<int> seen = 0;
  Scripted flaky([&](int fd) {
    if (++seen % 2 == 0) Scripted::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  ASSERT_EQ(callHome("p", pod("p"), flaky.port), 204);
  EXPECT_EQ(call(gateway_->address(), "/f").body, "ok");
  EXPECT_EQ(flaky.requests, 2);
  EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "x").status, 502) << "POST is not idempotent";
}

TEST_F(GatewayTest, ARequestThatBreaksReplicasIsNotSentToMoreAndMoreOfThem) {
  auto retrying = route();
  retrying.spec.retry = api::Retry::idempotent;
  apply(retrying);
  start();
  Scripted dying([](int) {});
  ASSERT_EQ(callHome("p", pod("p"), dying.port), 204);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 502);
  EXPECT_EQ(dying.requests, 3);
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, AnswersGarbageWith502) {
  apply(route());
  start();
  Scripted garbage([](int fd) { Scripted::say(fd, "SSH-2.0-whatever\r\n\r\n"); });
  ASSERT_EQ(callHome("p", pod("p"), garbage.port), 204);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 502);
}

TEST_F(GatewayTest, CutsAnAnswerThatBreaksOff) {
  apply(route());
  start();
  Scripted breaking([](int fd) { Scripted::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"); });
  ASSERT_EQ(callHome("p", pod("p"), breaking.port), 204);
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(parse(client.readAll()).body, "only this");
  EXPECT_TRUE(client.atEof());
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, Answers504WhenAReplicaHangs) {
  auto quick = route();
  quick.spec.backends[0].timeout = milliseconds(50);
  apply(quick);
  start();
  ServerFixture hanging;
  hanging.app.answer = [](net::Exchange&, const std::string&) {};
  replica("p", hanging);
  const auto response = call(gateway_->address(), "/f");
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(Json::parse(response.body)["limit"], "timeout");
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, CancelsTheRequestOfAClientThatLeft) {
  apply(route());
  start();
  ServerFixture hanging;
  hanging.app.answer = [](net::Exchange&, const std::string&) {};
  replica("p", hanging);
  {
    RawClient client(gateway_->address());
    client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return hanging.thread.sync([&] { return hanging.app.requests; }) == 1; }));
    EXPECT_EQ(load().inFlight, 1);
  }
  EXPECT_TRUE(idle());
  EXPECT_TRUE(eventually([&] { return hanging.thread.sync([&] { return hanging.app.broken; }) == 1; }));
}

TEST_F(GatewayTest, PassesAnAnswerOnThatComesBeforeTheRequestIsRead) {
  apply(route());
  start();
  ServerFixture server;
  server.app.onHead = [](net::Exchange& exchange) {
    exchange.respond(413, "text/plain", "too large");
    return true;
  };
  replica("p", server);
  RawClient client(gateway_->address());
  client.send("POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n" + std::string(300'000, 'x'));
  EXPECT_EQ(parse(client.readUntil("too large")).status, 413);
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, StopsSendingToAPodThatIsDeleted) {
  apply(route());
  start();
  ServerFixture first, second;
  replica("p1", first);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
  ASSERT_TRUE(cluster_.remove(kube::resources::pods, {"default", "p1"}, {}));
  replica("p2", second);
  // The watch tells of the deletion before it tells of the new pod.
  ASSERT_TRUE(eventually([&] {
    EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
    return second.thread.sync([&] { return second.app.requests; }) > 0;
  }));
  const int before = first.thread.sync([&] { return first.app.requests; });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
  EXPECT_EQ(first.thread.sync([&] { return first.app.requests; }), before);
}

}  // namespace
}  // namespace pilotlight::gateway::test
