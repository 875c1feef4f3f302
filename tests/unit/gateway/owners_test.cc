// What an owner of a limited function makes of its replicas' answers. Whole gateways: tests/integration/several_gateways_test.cc.
#include "api/shim_contract.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

/// A replica that was told `lowest`; "": nothing yet.
class ToldReplica {
 public:
  explicit ToldReplica(std::string lowest) {
    server_.app.answer = [lowest = std::move(lowest)](net::Exchange& exchange, const std::string&) {
      if (exchange.head().path != contract::kTicketsPath) return exchange.respond(200, "text/plain", "served");
      const std::string ticket(lowest.empty() ? exchange.head().headers.get(contract::kHeaderTicket).value_or("") : lowest);
      const std::array<net::Header, 1> fields{{{contract::kHeaderTicket, ticket}}};
      exchange.respond(lowest.empty() ? 200 : 409, "text/plain", "0\n", fields);
    };
  }
  ServerFixture& server() { return server_; }

 private:
  ServerFixture server_;
};

TEST_F(GatewayTest, AReplicaThatWasToldNonsenseSpoilsOnlyItself) {
  auto limited = route();
  limited.spec.reserved = 100;
  apply(limited);
  start();
  ToldReplica poisoned("9223372036854775807.0"), good("");
  replica("p", poisoned.server());
  replica("q", good.server());
  EXPECT_EQ(call(gateway_->address(), "/f").body, "served");
  const auto owned = cluster_.get(kube::resources::functionRoutes, {"default", "f"});
  ASSERT_TRUE(owned);
  EXPECT_EQ(owned->intAt("/status/owner/epoch"), 1);
  EXPECT_TRUE(eventually([&] { return log().find("no gateway can be") != std::string::npos; }));
  gateway_.reset();
}

TEST_F(GatewayTest, AReplicaThatWasToldOfALaterOwnerIsFollowed) {
  auto limited = route();
  limited.spec.reserved = 100;
  apply(limited);
  start();
  ToldReplica ahead("7.0");
  replica("p", ahead.server());
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(eventually([&] {
    const auto owned = cluster_.get(kube::resources::functionRoutes, {"default", "f"});
    return owned && owned->intAt("/status/owner/epoch") > 7;
  }));
  gateway_.reset();
}

}  // namespace
}  // namespace pilotlight::gateway::test
