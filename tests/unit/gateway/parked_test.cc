// Replicas without a handler: lit by the request that needs one, told apart by what they say.
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

/// A shim as the gateway sees it: parked until told, if `lights`.
class ParkedReplica {
 public:
  explicit ParkedReplica(bool lights = true) {
    server.app.onHead = [this, lights](net::Exchange& exchange) {
      const bool told = exchange.head().path == "/_pilotlight/light";
      if (told) ++asked;
      if (told && lights) lit = true;
      if (told)
        exchange.respond(lit ? 200 : 503, "text/plain", "");
      else if (!lit)
        refuse(exchange);
      return told || !lit;
    };
  }

  ServerFixture server;
  std::atomic<int> asked{0}, refused{0};
  std::atomic<bool> lit{false};

 private:
  void refuse(net::Exchange& exchange) {
    ++refused;
    const net::Header mark[] = {{"X-Pilotlight-Refused", "parked"}};
    exchange.respond(503, "application/json", "{}", mark);
  }
};

class ParkedReplicaTest : public GatewayTest {
 protected:
  void startAtOne() {
    deployment("f-00001", 1);
    apply(route());
    start();
  }
  std::string add(const std::string& name, ParkedReplica& replica, bool saysSo = true) {
    const std::string uid = pod(name);
    Json body{{"namespace", "default"}, {"pod", name}, {"uid", uid}, {"port", replica.server.address.port}};
    if (saysSo) body["parked"] = true;
    EXPECT_EQ(call(gateway_->internalAddress(), "/_pilotlight/register", "POST", "", body.dump()).status, 204);
    return uid;
  }
  bool counts(const std::string& sample) {
    return eventually([&] { return gateway_->metrics().find(sample + "\n") != std::string::npos; });
  }
};

TEST_F(ParkedReplicaTest, IsLitByTheFirstRequestAndServesWhatFollows) {
  ASSERT_NO_FATAL_FAILURE(startAtOne());
  ParkedReplica replica;
  add("p", replica);
  EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "body").body, "POST / body");
  EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
  EXPECT_EQ(replica.asked, 1);
  EXPECT_EQ(replica.refused, 0) << "it is not asked for what it can't do";
  EXPECT_EQ(scale(), 1) << "no pod is needed";
  EXPECT_TRUE(counts("pilotlight_gateway_lights_total{namespace=\"default\",function=\"f\"} 1"));
  EXPECT_TRUE(counts("pilotlight_gateway_parked_replicas{namespace=\"default\",function=\"f\"} 0"));
}

TEST_F(ParkedReplicaTest, ThatNobodyToldOfIsLitWhenItRefuses) {
  ASSERT_NO_FATAL_FAILURE(startAtOne());
  ParkedReplica replica;
  add("p", replica, false);
  EXPECT_EQ(call(gateway_->address(), "/f", "POST", "", "body").body, "POST / body");
  EXPECT_EQ(replica.refused, 1);
  EXPECT_EQ(replica.asked, 1);
}

TEST_F(ParkedReplicaTest, AsManyAreLitAsRequestsWaitFor) {
  auto narrow = route();
  narrow.spec.backends[0].perReplica = 2;
  deployment("f-00001", 3);
  apply(narrow);
  start();
  ParkedReplica replicas[4];
  for (int i = 0; i < 4; ++i) {
    replicas[i].server.app.answer = [&](net::Exchange& exchange, const std::string&) { exchange.respond(200, "text/plain", "ok"); };
    add("p" + std::to_string(i), replicas[i]);
  }
  std::vector<std::future<int>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::async(std::launch::async, [&] { return call(gateway_->address(), "/f").status; }));
  for (auto& client : clients) EXPECT_EQ(client.get(), 200);
  int asked = 0;
  for (auto& replica : replicas) asked += replica.asked;
  EXPECT_GE(asked, 1);
  EXPECT_LE(asked, 4);
}

TEST_F(ParkedReplicaTest, ThatCantBeLitIsLeftForAnother) {
  ASSERT_NO_FATAL_FAILURE(startAtOne());
  ParkedReplica dead(false), good;
  add("p", dead);
  auto client = std::async(std::launch::async, [&] { return call(gateway_->address(), "/f").status; });
  ASSERT_TRUE(eventually([&] { return dead.asked >= 2; })) << "it is told again";
  add("q", good);
  EXPECT_EQ(client.get(), 200);
}

TEST_F(ParkedReplicaTest, ThatCantBeLitHoldsNoWakingUp) {
  deployment("f-00001", 0);
  apply(route());
  start();
  ParkedReplica dead(false);
  add("p", dead);
  auto client = std::async(std::launch::async, [&] { return call(gateway_->address(), "/f").status; });
  EXPECT_TRUE(eventually([&] { return scale() == 1; }));
  ServerFixture server;
  replica("q", server);
  EXPECT_EQ(client.get(), 200);
}

TEST_F(ParkedReplicaTest, IsLitWhenTheLitOnesAreFull) {
  ASSERT_NO_FATAL_FAILURE(startAtOne());
  ServerFixture lit;
  ParkedReplica spare;
  auto narrow = route();
  narrow.spec.backends[0].perReplica = 1;
  apply(narrow);
  replica("p", lit);
  // The first request keeps the only slot; the second waits, and with it a parked one is lit as soon as there is one.
  lit.app.answer = [](net::Exchange&, const std::string&) {};
  auto first = std::async(std::launch::async, [&] { return call(gateway_->address(), "/f").status; });
  ASSERT_TRUE(eventually([&] { return load().inFlight == 1; }));
  auto second = std::async(std::launch::async, [&] { return call(gateway_->address(), "/f").status; });
  ASSERT_TRUE(eventually([&] { return load().queued == 1; }));
  add("q", spare);
  EXPECT_EQ(second.get(), 200) << "a request that finds no free slot lights one, also when others are lit";
  ASSERT_TRUE(cluster_.remove(kube::resources::pods, {"default", "p"}, {.gracePeriodSeconds = 0}));
  lit.thread.sync([&] { lit.server.reset(); });
  first.wait();
}

}  // namespace
}  // namespace pilotlight::gateway::test
