// How the operator hears gateways: pods in an in-memory cluster, and servers on 127.0.0.x that answer as gateways do.
#include "operator/gateway_loads.h"

#include <gmock/gmock.h>

#include "../net/harness.h"
#include "api/shim_contract.h"
#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using net::test::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Json;

/// A gateway that says what the test wants, on its own address.
class FakeGateway final : public net::Application {
 public:
  FakeGateway(std::string name, const std::string& ip, std::uint16_t port = 0) : name_(std::move(name)) {
    thread_.sync([&] {
      auto fd = net::listenTcp({ip, port});
      ASSERT_TRUE(fd) << fd.error();
      address = net::localAddress(fd->get());
      server_ = std::make_unique<net::Server>(thread_.loop, *this);
      server_->listen(std::move(*fd));
    });
  }
  ~FakeGateway() {
    thread_.sync([&] { server_.reset(); });
    thread_.stop();
  }

  net::ExchangeHandler* onRequest(net::Exchange& exchange) override {
    paths.push_back(std::string(exchange.head().path));
    exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    open_ = &exchange;
    if (!first_.empty()) exchange.write(first_);
    return &handler_;
  }

  /// A line for whoever listens, and, with `first`, for whoever comes.
  void say(core::LoadLine line, bool first = false) {
    line.gateway = name_;
    if (line.instance.empty()) line.instance = name_;
    const std::string text = core::writeLoadLine(line, std::chrono::steady_clock::now()) + "\n";
    sayRaw(text, first);
  }
  void sayRaw(const std::string& text, bool first = false) {
    thread_.sync([&] {
      if (first) first_ = text;
      if (open_ != nullptr && !text.empty()) open_->write(text);
    });
  }
  void cut() {
    thread_.sync([&] {
      if (open_ != nullptr) open_->abort();
    });
  }
  bool listened() {
    return thread_.sync([&] { return open_ != nullptr; });
  }

  net::Address address;
  std::vector<std::string> paths;  // of the loop's thread

 private:
  struct Handler final : net::ExchangeHandler {
    explicit Handler(FakeGateway& g) : gateway(g) {}
    void onBody(net::Exchange&, std::string_view) override {}
    void onBodyEnd(net::Exchange&) override {}
    void onEnd(net::Exchange&, bool) override { gateway.open_ = nullptr; }
    FakeGateway& gateway;
  };
  const std::string name_;
  net::test::LoopThread thread_;
  Handler handler_{*this};
  std::unique_ptr<net::Server> server_;
  net::Exchange* open_ = nullptr;  // of the loop's thread, as the next
  std::string first_;
};

core::LoadLine line(int inFlight, int queued, std::int64_t millis) {
  core::LoadLine line;
  line.complete = true;
  core::FunctionLoad load;
  load.namespace_ = "default";
  load.name = "f";
  load.inFlight = inFlight;
  load.queued = queued;
  load.concurrencyMillis = millis;
  load.requests = 1;
  line.loads.push_back(load);
  return line;
}

class GatewayLoadsTest : public ::testing::Test {
 protected:
  GatewayLoadsTest() {
    options_.silence = seconds(20);
    options_.retryMin = milliseconds(5);
    options_.retryMax = milliseconds(20);
  }
  ~GatewayLoadsTest() override {
    if (pods_) pods_->stop();
    loads_.reset();
    cluster_.shutdown();
  }

  void start(std::uint16_t port) {
    options_.port = port;
    pods_ = std::make_unique<GatewayPods>(cluster_, GatewayPodsOptions{});
    loads_ = std::make_unique<GatewayLoads>(*pods_, log_, options_);
    loads_->start();
    pods_->start();
    ASSERT_TRUE(pods_->waitForSync(seconds(10)));
  }
  void pod(const std::string& name, const std::string& ip, bool ready = true) {
    const Json labels{{"app.kubernetes.io/name", "pilotlight"}, {"app.kubernetes.io/component", "gateway"}};
    const Json object{{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", {{"name", name}, {"namespace", "pilotlight-system"}, {"labels", labels}}},
                      {"spec", {{"containers", Json::array({{{"name", "gateway"}, {"image", "x"}}})}}}};
    (void)cluster_.create(resources::pods, object, "test");
    const Json condition{{"type", "Ready"}, {"status", ready ? "True" : "False"}};
    const Json status{{"status", {{"phase", "Running"}, {"podIP", ip}, {"conditions", Json::array({condition})}}}};
    ASSERT_TRUE(cluster_.mergePatch(resources::pods, {"pilotlight-system", name}, status, "test", "status"));
  }
  void removePod(const std::string& name) {
    ASSERT_TRUE(cluster_.remove(resources::pods, {"pilotlight-system", name}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 0}));
  }
  core::FunctionLoad load() {
    for (const auto& each : loads_->loads())
      if (each.name == "f") return each;
    return {};
  }

  kube::MemoryCluster cluster_;
  const Log log_{"off", {}};
  GatewayLoadsOptions options_;
  std::unique_ptr<GatewayPods> pods_;
  std::unique_ptr<GatewayLoads> loads_;
};

TEST_F(GatewayLoadsTest, AddsUpWhatItHearsOfEveryGateway) {
  FakeGateway a("gw-a", "127.0.0.1");
  FakeGateway b("gw-b", "127.0.0.2", a.address.port);
  a.say(line(2, 0, 100), true);
  b.say(line(3, 1, 50), true);
  pod("gw-a", "127.0.0.1");
  pod("gw-b", "127.0.0.2");
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  EXPECT_EQ(load().inFlight, 5);
  EXPECT_EQ(load().queued, 1);
  EXPECT_EQ(load().concurrencyMillis, 150);
  a.say(line(0, 0, 120));
  EXPECT_TRUE(eventually([&] { return load().inFlight == 3 && load().concurrencyMillis == 170; }));
  EXPECT_NE(loads_->metrics().find("pilotlight_operator_gateways{state=\"heard\"} 2\n"), std::string::npos);
  EXPECT_NE(loads_->metrics().find("pilotlight_operator_gateways{state=\"missed\"} 0\n"), std::string::npos);
}

TEST_F(GatewayLoadsTest, PassesDemandOnAtOnce) {
  FakeGateway a("gw-a", "127.0.0.1");
  a.say({.gateway = {}, .instance = {}, .complete = true, .loads = {}, .gone = {}}, true);
  pod("gw-a", "127.0.0.1");
  start(a.address.port);
  std::promise<std::string> demanded;
  loads_->onDemand([&](const std::string& space, const std::string& name) { demanded.set_value(space + "/" + name); });
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  a.say(line(0, 1, 0));
  auto future = demanded.get_future();
  ASSERT_EQ(future.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(future.get(), "default/f");
}

TEST_F(GatewayLoadsTest, IsIncompleteFromTheMomentThatAStreamBreaksUntilItIsBack) {
  FakeGateway a("gw-a", "127.0.0.1");
  a.say(line(2, 0, 100), true);
  pod("gw-a", "127.0.0.1");
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  a.sayRaw("", true);  // who comes next hears nothing at first
  a.cut();
  ASSERT_TRUE(eventually([&] { return !loads_->complete(); }));
  EXPECT_EQ(load().inFlight, 2) << "as far as is known";
  EXPECT_NE(loads_->metrics().find("pilotlight_operator_gateways{state=\"missed\"} 1\n"), std::string::npos);
  ASSERT_TRUE(eventually([&] { return a.listened(); }));
  core::LoadLine anew = line(1, 0, 10);
  anew.instance = "second";
  a.say(anew);
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  EXPECT_EQ(load().concurrencyMillis, 110);
}

TEST_F(GatewayLoadsTest, AGatewayThatCannotBeReachedMattersWhileItIsReady) {
  FakeGateway a("gw-a", "127.0.0.1");
  a.say(line(2, 0, 100), true);
  pod("gw-a", "127.0.0.1");
  pod("gw-b", "127.0.0.3");  // nobody listens there
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return load().inFlight == 2; }));
  EXPECT_FALSE(loads_->complete());
  pod("gw-b", "127.0.0.3", false);
  EXPECT_TRUE(eventually([&] { return loads_->complete(); }));
  pod("gw-b", "127.0.0.3", true);
  EXPECT_TRUE(eventually([&] { return !loads_->complete(); }));
  removePod("gw-b");
  EXPECT_TRUE(eventually([&] { return loads_->complete(); }));
}

TEST_F(GatewayLoadsTest, SilenceIsNoAnswer) {
  options_.silence = milliseconds(100);
  FakeGateway a("gw-a", "127.0.0.1");
  a.say(line(2, 0, 100), true);
  pod("gw-a", "127.0.0.1");
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  a.sayRaw("", true);
  EXPECT_TRUE(eventually([&] { return !loads_->complete(); }));
}

TEST_F(GatewayLoadsTest, WhatCannotBeReadEndsTheStream) {
  FakeGateway a("gw-a", "127.0.0.1");
  a.say(line(2, 0, 100), true);
  pod("gw-a", "127.0.0.1");
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  a.sayRaw("{\"gateway\":1}\n", true);
  EXPECT_TRUE(eventually([&] { return !loads_->complete(); }));
}

TEST_F(GatewayLoadsTest, ALineWithoutEndIsCutOff) {
  options_.lineBytes = 1000;
  FakeGateway a("gw-a", "127.0.0.1");
  a.say(line(2, 0, 100), true);
  pod("gw-a", "127.0.0.1");
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return loads_->complete(); }));
  a.sayRaw(std::string(2000, 'x'), true);
  EXPECT_TRUE(eventually([&] { return !loads_->complete(); }));
}

TEST_F(GatewayLoadsTest, AGatewaysPodThatGoesTakesItsRequestsAlong) {
  FakeGateway a("gw-a", "127.0.0.1");
  FakeGateway b("gw-b", "127.0.0.2", a.address.port);
  a.say(line(2, 0, 100), true);
  b.say(line(3, 0, 50), true);
  pod("gw-a", "127.0.0.1");
  pod("gw-b", "127.0.0.2");
  start(a.address.port);
  ASSERT_TRUE(eventually([&] { return load().inFlight == 5; }));
  removePod("gw-b");
  ASSERT_TRUE(eventually([&] { return load().inFlight == 2; }));
  EXPECT_EQ(load().concurrencyMillis, 150);
  EXPECT_TRUE(loads_->complete());
}

}  // namespace
}  // namespace pilotlight::op
