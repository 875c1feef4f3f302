#include "operator/leader.h"

#include <gmock/gmock.h>

#include "../net/harness.h"
#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using net::test::eventually;
using std::chrono::seconds;
using testing::Json;

std::string ask(const net::Address& to, const std::string& path) {
  net::test::RawClient client(to);
  client.send("GET " + path + " HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
  return client.readAll();
}

TEST(Endpoints, AnswerWhatProbesAndPrometheusAsk) {
  std::atomic<bool> ready{false};
  Endpoints endpoints({[] { return std::string("counts 1\n"); }, [&] { return ready.load(); }});
  const auto address = endpoints.start({"127.0.0.1", 0});
  ASSERT_TRUE(address) << address.error();
  EXPECT_TRUE(ask(*address, "/metrics").ends_with("\r\n\r\ncounts 1\n"));
  EXPECT_TRUE(ask(*address, "/healthz").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(ask(*address, "/readyz").starts_with("HTTP/1.1 503 "));
  ready = true;
  EXPECT_TRUE(ask(*address, "/readyz").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(ask(*address, "/else").starts_with("HTTP/1.1 404 "));
  EXPECT_FALSE(Endpoints({}).start(*address)) << "the address is taken";
}

TEST(CallHomeAddress, IsTheServicesClusterIp) {
  const auto of = [](const char* ip) {
    return callHomeAddress(kube::Object(Json{{"metadata", {{"name", "gw"}, {"namespace", "sys"}}}, {"spec", {{"clusterIP", ip}}}}), 8081);
  };
  EXPECT_EQ(of("10.1.2.3"), "10.1.2.3:8081");
  EXPECT_EQ(of("fd00::1"), "[fd00::1]:8081");
  EXPECT_FALSE(of("None"));
  EXPECT_FALSE(of(""));
}

TEST(GatewayPod, IsReadFromItsStatus) {
  const auto of = [](Json status) {
    return gatewayPod(kube::Object(Json{{"metadata", {{"name", "gw-0"}, {"uid", "u"}}}, {"status", std::move(status)}}));
  };
  const Json ready = Json::array({{{"type", "Ready"}, {"status", "True"}}});
  EXPECT_FALSE(of(Json::object()).ready);
  EXPECT_TRUE(of({{"podIP", "10.0.0.1"}, {"conditions", ready}}).ready);
  EXPECT_EQ(of({{"podIP", "10.0.0.1"}}).ip, "10.0.0.1");
  EXPECT_TRUE(of({{"phase", "Failed"}}).gone);
  EXPECT_TRUE(of({{"phase", "Succeeded"}}).gone);
  EXPECT_FALSE(of({{"phase", "Running"}}).gone);
}

class LeaderTest : public testing::OperatorTest {
 protected:
  LeaderOptions leaderOptions() {
    LeaderOptions options;
    options.operator_ = options_;
    options.operator_.gateways.clear();
    return options;
  }
  void service(const std::string& ip) {
    const Json object{{"apiVersion", "v1"},
                      {"kind", "Service"},
                      {"metadata", {{"name", "pilotlight-gateway-internal"}, {"namespace", "pilotlight-system"}}},
                      {"spec", {{"clusterIP", ip}, {"ports", Json::array({{{"port", 8081}}})}}}};
    ASSERT_TRUE(cluster_.create(resources::services, object, "test"));
  }
  const Log log_{"off", {}};
};

TEST_F(LeaderTest, DoesNotStartWithoutTheKeyThatItIsToGiveToShims) {
  service("10.1.2.3");
  LeaderOptions options = leaderOptions();
  options.keyFolder = "/nowhere";
  Leader leader(cluster_, log_, options);
  const auto started = leader.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().find("--call-home-keys: /nowhere/key: "), 0U) << started.error();
}

TEST_F(LeaderTest, TellsShimsTheClusterIpOfTheGatewaysService) {
  service("10.1.2.3");
  Leader leader(cluster_, log_, leaderOptions());
  const auto started = leader.start();
  ASSERT_TRUE(started) << started.error();
  applyFunction("hello", {{"scale", {{"initial", 0}}}});
  ASSERT_TRUE(eventually([&] {
    const auto made = get(resources::deployments, "hello-00001");
    return made && made.at("/spec/template/spec/containers/0/env") != nullptr;
  }));
  EXPECT_NE(spec(resources::deployments, "hello-00001").dump().find("10.1.2.3:8081"), std::string::npos);
  EXPECT_NE(leader.metrics().find("pilotlight_operator_gateways"), std::string::npos);
  leader.stop();
  EXPECT_EQ(leader.metrics(), "");
}

TEST_F(LeaderTest, SaysWhatIsMissingWhenThereIsNoSuchService) {
  Leader leader(cluster_, log_, leaderOptions());
  const auto started = leader.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error(), ::testing::HasSubstr("--gateways-service"));
  EXPECT_FALSE(leader.started());
}

}  // namespace
}  // namespace pilotlight::op
