// Holding requests at zero, waking, queue bounds, and the limit of a replica.
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

TEST_F(GatewayTest, HoldsARequestAtZeroWakesTheFunctionAndAnswers) {
  deployment();
  apply(route());
  start();
  std::atomic<int> demands = 0;
  gateway_->onDemand([&](const std::string&, const std::string& name) { demands += name == "f"; });
  ServerFixture server;
  std::thread client([&] { EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "body").body, "POST / body"); });
  EXPECT_TRUE(eventually([&] { return scale() == 1; }));
  EXPECT_EQ(load().queued, 1);
  replica("p", server);
  client.join();
  EXPECT_GE(demands, 1);
  EXPECT_TRUE(idle());
  EXPECT_NE(gateway_->metrics().find("pilotlight_gateway_cold_start_seconds_count{namespace=\"default\",function=\"f\"} 1\n"),
            std::string::npos);
}

TEST_F(GatewayTest, WakesAgainWhenSomeoneWritesZero) {
  deployment();
  apply(route());
  start();
  ServerFixture server;
  std::thread client([&] { EXPECT_EQ(call(gateway_->address(), "/f").status, 200); });
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] { return scale() == 1; }));
    ASSERT_TRUE(cluster_.patchScale(kube::resources::deployments, {"default", "f-00001"}, 0, "", "someone"));
  }
  EXPECT_TRUE(eventually([&] { return scale() == 1; }));
  replica("p", server);
  client.join();
}

TEST_F(GatewayTest, WhatWaitsForAFunctionIsAnsweredByTheOneMadeAnew) {
  deployment();
  apply(route());
  start();
  std::thread before([&] { EXPECT_EQ(call(gateway_->address(), "/f/before").body, "GET /before "); });
  EXPECT_TRUE(eventually([&] { return scale() == 1 && load().queued == 1; }));
  ASSERT_TRUE(cluster_.remove(kube::resources::functionRoutes, {"default", "f"}, {}));
  ASSERT_TRUE(cluster_.remove(kube::resources::deployments, {"default", "f-00001"}, {}));
  ASSERT_TRUE(eventually([&] { return load().queued == 0; })) << "the gateway has not heard of it";

  auto anew = route();
  anew.spec.created = "2026-01-02T00:00:00Z";
  anew.spec.backends[0].deployment = "f-anew";
  deployment("f-anew");
  apply(anew);
  std::thread after([&] { EXPECT_EQ(call(gateway_->address(), "/f/after").body, "GET /after "); });
  EXPECT_TRUE(eventually([&] { return scale("f-anew") == 1; })) << "it is woken, whatever waited before";
  EXPECT_TRUE(eventually([&] { return load().queued == 2; }));
  ServerFixture server;
  replica("p", server);
  before.join();
  after.join();
}

TEST_F(GatewayTest, KeepsWhatItKnowsOfAHeldRequestWhenRoutesChange) {
  auto users = route();
  users.spec.routes = {{"/a-rather-long-literal-segment/{a_rather_long_parameter_name}", {}}};
  apply(users);
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) {
    exchange.respond(200, "text/plain",
                     std::string(exchange.head().headers.get("X-Pilotlight-Param-a_rather_long_parameter_name").value_or("none")));
  };
  std::thread client([&] { EXPECT_EQ(call(gateway_->address(), "/f/a-rather-long-literal-segment/7").body, "7"); });
  ASSERT_TRUE(eventually([&] { return load().queued == 1; }));
  auto changed = route();
  changed.spec.routes = {{"/elsewhere", {}}};
  apply(changed);
  apply(route("g"));
  replica("p", server);
  client.join();
}

TEST_F(GatewayTest, NeverLowersAScale) {
  deployment("f-00001", 3);
  apply(route());
  options_.wakeRetry = milliseconds(1);
  start();
  auto client = std::async(std::launch::async, [&] { return call(gateway_->address(), "/f").status; });
  EXPECT_TRUE(eventually([&] { return load().queued == 1; }));
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(client.get(), 200);
  EXPECT_EQ(scale(), 3);
}

TEST_F(GatewayTest, KeepsACallHomeUntilThePodIsSeen) {
  deployment();
  apply(route());
  start();
  ServerFixture server;
  std::thread client([&] { EXPECT_EQ(call(gateway_->address(), "/f").status, 200); });
  const Json object{
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"name", "p"}, {"namespace", "default"}, {"labels", {{api::kLabelFunction, "f"}, {api::kLabelVersion, "1"}}}}},
      {"spec", {{"containers", Json::array()}}}};
  // The uid is known only once created: register under it first by creating in a cluster that the gateway sees late.
  const auto created = cluster_.create(kube::resources::pods, object, "test");
  ASSERT_TRUE(created);
  EXPECT_EQ(callHome("p", created->uid(), server.address.port), 204);
  client.join();
}

TEST_F(GatewayTest, RefusesACallHomeThatContradictsTheApi) {
  apply(route());
  start();
  const auto uid = pod("p", "f", "127.0.0.9");
  ASSERT_TRUE(eventually([&] { return callHome("p", uid, 80) == 409; }));
  EXPECT_EQ(callHome("other", uid, 80), 409);
  EXPECT_EQ(callHome("p", "", 80), 400);
  EXPECT_EQ(call(gateway_->internalAddress(), "/_pilotlight/register", "POST", "", "[]").status, 400);
  EXPECT_EQ(call(gateway_->internalAddress(), "/_pilotlight/register", "POST", "", "{").status, 400);
}

TEST_F(GatewayTest, DoesNotWaitForARegistrationThatNeverEnds) {
  start();
  RawClient client(gateway_->internalAddress());
  client.send("POST /_pilotlight/register HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
  EXPECT_TRUE(client.atEof());
}

TEST_F(GatewayTest, RefusesPastTheQueuesBoundAndSaysWhich) {
  auto small = route();
  small.spec.queue.requests = 2;
  apply(small);
  start();
  ServerFixture server;
  std::vector<std::thread> held;
  for (int i = 0; i < 2; ++i) held.emplace_back([&] { EXPECT_EQ(call(gateway_->address(), "/f").status, 200); });
  ASSERT_TRUE(eventually([&] { return load().queued == 2; }));
  const auto refused = call(gateway_->address(), "/f");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(Json::parse(refused.body)["limit"], "queue.requests");
  EXPECT_EQ(Json::parse(refused.body)["function"], "default/f");
  replica("p", server);
  for (auto& thread : held) thread.join();
}

TEST_F(GatewayTest, BoundsTheBytesHeld) {
  auto small = route();
  small.spec.queue.bytes = {20'000};
  apply(small);
  start();
  ServerFixture server;
  std::thread held([&] { EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", std::string(12'000, 'x')).status, 200); });
  ASSERT_TRUE(eventually([&] { return load().queued == 1; }));
  const auto refused = call(gateway_->address(), "/f", "POST", "", std::string(12'000, 'x'));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Json::parse(refused.body)["limit"], "queue.bytes");
  replica("p", server);
  held.join();
}

TEST_F(GatewayTest, GivesUpAfterTheQueuesWait) {
  auto impatient = route();
  impatient.spec.queue.wait = milliseconds(100);
  apply(impatient);
  start();
  const auto response = call(gateway_->address(), "/f");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(Json::parse(response.body)["limit"], "queue.wait");
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, LetsAHeldRequestOfAClientThatLeftGo) {
  apply(route());
  start();
  {
    RawClient client(gateway_->address());
    client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return load().queued == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return load().queued == 0; }));
}

TEST_F(GatewayTest, AsksForTheBodyOfAHeldRequestOnlyWhenItsReplicaHasCome) {
  options_.loops = 1;  // so that an answer to another request says that this one has been dealt with
  apply(route());
  start();
  RawClient client(gateway_->address());
  client.send("POST /f HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return load().queued == 1; }));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(gateway_->address(), "/nobody").status, 404);
  char byte;
  EXPECT_EQ(recv(client.fd(), &byte, 1, MSG_DONTWAIT), -1) << "it was told to send what nobody can take yet";
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(client.readUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_TRUE(client.readUntil("POST / abc").ends_with("POST / abc"));
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, NeverExceedsAReplicasLimit) {
  auto strict = route();
  strict.spec.backends[0].perReplica = 3;
  apply(strict);
  start();
  constexpr int kReplicas = 2, kRequests = 120;
  std::vector<std::unique_ptr<ServerFixture>> servers;
  std::array<std::atomic<int>, kReplicas> running{}, most{};
  std::atomic<int> answered = 0;
  for (int i = 0; i < kReplicas; ++i) {
    servers.push_back(std::make_unique<ServerFixture>());
    auto& server = *servers.back();
    server.app.answer = [&, i](net::Exchange& exchange, const std::string&) {
      const int now = ++running[static_cast<std::size_t>(i)];
      if (now > most[static_cast<std::size_t>(i)]) most[static_cast<std::size_t>(i)] = now;
      // Answered a few turns later, so that requests overlap.
      server.thread.loop.post([&, i] {
        server.thread.loop.post([&, i] {
          --running[static_cast<std::size_t>(i)];
          exchange.respond(200, "text/plain", "ok");
        });
      });
    };
    replica("p" + std::to_string(i), server);
  }
  std::vector<std::thread> clients;
  for (int i = 0; i < kRequests; ++i) clients.emplace_back([&] { answered += call(gateway_->address(), "/f").status == 200; });
  for (auto& client : clients) client.join();
  EXPECT_EQ(answered, kRequests);
  EXPECT_LE(most[0], 3);
  EXPECT_LE(most[1], 3);
  EXPECT_TRUE(idle());
}

}  // namespace
}  // namespace pilotlight::gateway::test
