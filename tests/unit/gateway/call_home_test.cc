// Who is believed that says that a replica is there, and how all gateways come to know it.
#include <filesystem>
#include <fstream>

#include "callhome/signature.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

const std::string kMaster(32, 'm'), kOther(32, 'o');

/// What a shim says, signed with the key of its Function.
struct Said {
  std::string pod = "p", uid{}, function = "f", ips = "127.0.0.1", master = kMaster;
  std::uint16_t port = 1;
  std::string body() const {
    return Json{{"namespace", "default"}, {"function", function}, {"pod", pod}, {"uid", uid}, {"ips", ips}, {"port", port}}.dump();
  }
  std::string field() const {
    return "X-Pilotlight-Signature: " + callhome::sign(callhome::functionKey(master, "default", function), body()) + "\r\n";
  }
};

class CallHomeTest : public GatewayTest {
 protected:
  CallHomeTest() { options_.callHome.keys = {kMaster}; }
  int say(const Said& said) { return say(said, said.field()); }
  int say(const Said& said, const std::string& field) {
    return call(gateway_->internalAddress(), "/_pilotlight/register", "POST", field, said.body()).status;
  }
  int counted(const std::string& outcome) {
    const auto text = gateway_->metrics();
    const std::string name = "pilotlight_gateway_registrations_total{from=\"shim\",outcome=\"" + outcome + "\"} ";
    return std::stoi(text.substr(text.find(name) + name.size()));
  }
  int replicas() {
    const auto text = gateway_->metrics();
    const std::string name = "pilotlight_gateway_replicas{namespace=\"default\",function=\"f\"} ";
    const auto at = text.find(name);
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + name.size()));
  }
};

TEST_F(CallHomeTest, AReplicaThatSignsWithItsFunctionsKeyServes) {
  apply(route());
  start();
  ServerFixture server;
  EXPECT_EQ(say({.uid = pod("p"), .port = server.address.port}), 204);
  EXPECT_EQ(call(gateway_->address(), "/f").status, 200);
}

TEST_F(CallHomeTest, WithoutAKeyThatHoldsNobodyIsBelieved) {
  apply(route());
  start();
  const std::string uid = pod("p");
  const Said said{.uid = uid};
  EXPECT_EQ(say(said, ""), 401);
  EXPECT_EQ(say(said, "X-Pilotlight-Signature: " + std::string(64, '0') + "\r\n"), 401);
  EXPECT_EQ(say({.uid = uid, .master = kOther}), 401);
  Said changed = said;
  changed.port = 2;
  EXPECT_EQ(say(changed, said.field()), 401) << "a signature holds for what was signed alone";
  EXPECT_EQ(counted("unbelieved"), 4);
  EXPECT_EQ(counted("taken") + counted("kept"), 0);
}

TEST_F(CallHomeTest, AKeyOfOneFunctionIsOfNoUseForPodsOfAnother) {
  apply(route());
  auto other = route("g");
  other.spec.queue.wait = milliseconds(50);
  apply(other);
  start();
  const std::string uid = pod("p", "f");
  // Before the gateway's watch has told of the pod it keeps what is said, and looks at it then.
  EXPECT_TRUE(eventually([&] { return say({.uid = uid, .function = "g"}) == 403; }));
  EXPECT_EQ(say({.pod = "another", .uid = uid}), 409);
  EXPECT_EQ(counted("taken"), 0);
  EXPECT_EQ(call(gateway_->address(), "/g", "GET", "", "").status, 503);
}

TEST_F(CallHomeTest, WhatAPodSignedIsOfNoUseFromAnotherAddress) {
  apply(route());
  start();
  EXPECT_EQ(say({.uid = pod("p"), .ips = "127.0.0.2"}), 403);
  EXPECT_EQ(say({.uid = pod("q"), .ips = ""}), 403);
  EXPECT_EQ(say({.pod = "r", .uid = pod("r"), .ips = "fd00::1,127.0.0.1"}), 204) << "a pod may have two";
}

TEST_F(CallHomeTest, AReplicaIsDroppedWhenTheApiTellsAnotherAddressOfItsPod) {
  apply(route());
  start();
  ServerFixture server;
  const std::string uid = pod("p");
  ASSERT_EQ(say({.uid = uid, .port = server.address.port}), 204);
  ASSERT_EQ(call(gateway_->address(), "/f").status, 200);
  ASSERT_TRUE(cluster_.mergePatch(kube::resources::pods, {"default", "p"}, {{"status", {{"podIP", "127.0.0.77"}}}}, "test", "status"));
  EXPECT_TRUE(eventually([&] { return replicas() == 0; }));
  EXPECT_TRUE(eventually([&] { return log().find("127.0.0.1 rather than 127.0.0.77") != std::string::npos; })) << log();
  EXPECT_EQ(say({.uid = uid, .port = server.address.port}), 409);
}

TEST_F(CallHomeTest, ANewKeyIsReadWhenItIsNeededAndThePreviousOneHoldsBesideIt) {
  const auto folder = std::filesystem::temp_directory_path() / ("gateway-keys-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& key) { std::ofstream(folder / name) << key; };
  write("key", kMaster);
  options_.callHome = {.keyFolder = folder, .keyRefresh = milliseconds(0)};
  apply(route());
  start();
  const std::string uid = pod("p");
  EXPECT_EQ(say({.uid = uid}), 204);
  EXPECT_EQ(say({.uid = uid, .master = kOther}), 401);
  write("previous", kMaster);
  write("key", kOther);
  EXPECT_EQ(say({.uid = uid, .master = kOther}), 204);
  EXPECT_EQ(say({.uid = uid}), 204);
  write("previous", "");
  EXPECT_EQ(say({.uid = uid, .master = std::string(32, 'x')}), 401) << "reads the files";
  EXPECT_EQ(say({.uid = uid}), 401);
  std::filesystem::remove(folder / "key");
  EXPECT_EQ(say({.uid = uid, .master = std::string(32, 'x')}), 401);
  EXPECT_EQ(say({.uid = uid, .master = kOther}), 204) << "the last good one stays";
  EXPECT_TRUE(eventually([&] { return log().find((folder / "key").string()) != std::string::npos; })) << log();
  std::filesystem::remove_all(folder);
}

/// Three gateways on one cluster, as pods of one release are.
class ThreeGatewaysTest : public CallHomeTest {
 protected:
  void startAll() {
    for (const char* name : {"gw-0", "gw-1", "gw-2"}) {
      GatewayOptions options = options_;
      options.name = name;
      gateways_.push_back(std::make_unique<Gateway>(cluster_, options));
      const auto started = gateways_.back()->start();
      ASSERT_TRUE(started) << started.error();
      peers_.push_back({name, "", gateways_.back()->internalAddress()});
    }
    for (const auto& gateway : gateways_) gateway->peers().set(peers_);
  }
  double metric(const Gateway& gateway, const std::string& name) {
    const auto text = gateway.metrics();
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }
  double sum(const std::string& name) {
    double total = 0;
    for (const auto& gateway : gateways_) total += metric(*gateway, name);
    return total;
  }
  std::vector<std::thread> holdOneAtEach() {
    std::vector<std::thread> clients;
    for (const auto& gateway : gateways_) clients.emplace_back([to = gateway->address()] { EXPECT_EQ(call(to, "/f").status, 200); });
    for (const auto& gateway : gateways_)
      EXPECT_TRUE(eventually([&] { return metric(*gateway, "pilotlight_gateway_queued{namespace=\"default\",function=\"f\"}") == 1; }));
    return clients;
  }
  void sayTo(Gateway& gateway, const Said& said) {
    EXPECT_EQ(call(gateway.internalAddress(), "/_pilotlight/register", "POST", said.field(), said.body()).status, 204);
  }

  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<Peer> peers_;
};

const std::string kTold = "pilotlight_gateway_registrations_passed_on_total{outcome=\"taken\"}";
const std::string kNotTold = "pilotlight_gateway_registrations_passed_on_total{outcome=\"failed\"}";

TEST_F(ThreeGatewaysTest, OneCallHomeOfOneReplicaEndsTheColdStartAtAllOfThem) {
  deployment();
  apply(route());
  startAll();
  auto clients = holdOneAtEach();
  ASSERT_TRUE(eventually([&] { return scale() == 1; }));
  ServerFixture server;
  sayTo(*gateways_[1], {.uid = pod("p"), .port = server.address.port});  // the pod is never Ready: nothing else tells of it
  for (auto& client : clients) client.join();
  EXPECT_EQ(sum("pilotlight_gateway_wake_patches_total"), 1) << "the others saw that it was done";
  EXPECT_EQ(cluster_.get(kube::resources::deployments, {"default", "f-00001"})->generation(), 2) << "made, and raised once";
  EXPECT_TRUE(eventually([&] { return metric(*gateways_[1], kTold) == 2; }));
  EXPECT_EQ(sum(kNotTold), 0);
  for (const auto& gateway : gateways_)
    EXPECT_EQ(metric(*gateway, "pilotlight_gateway_cold_start_seconds_count{namespace=\"default\",function=\"f\"}"), 1);
}

TEST_F(ThreeGatewaysTest, AGatewayThatIsGoneCostsTheOthersNothing) {
  options_.callHome.peerPause = milliseconds(1);
  deployment();
  apply(route());
  startAll();
  const Said said{.uid = pod("p"), .port = 1};
  gateways_[2]->stop(milliseconds(0));
  sayTo(*gateways_[0], said);
  EXPECT_TRUE(eventually([&] { return metric(*gateways_[0], kNotTold) == 1 && metric(*gateways_[0], kTold) == 1; }));
}

TEST_F(ThreeGatewaysTest, NobodyButAGatewayMaySpeakForAPodElsewhere) {
  apply(route());
  startAll();
  const std::string body =
      Json{{"namespace", "default"}, {"function", "f"}, {"pod", "p"}, {"uid", pod("p")}, {"ip", "127.0.0.1"}, {"port", 1}}.dump();
  const auto passOn = [&](const std::string& key) {
    const std::string field = "X-Pilotlight-Signature: " + callhome::sign(key, body) + "\r\n";
    return call(gateways_[0]->internalAddress(), "/_pilotlight/registered", "POST", field, body).status;
  };
  EXPECT_EQ(passOn(callhome::functionKey(kMaster, "default", "f")), 401);
  EXPECT_EQ(passOn(callhome::gatewayKey(kOther)), 401);
  EXPECT_EQ(passOn(callhome::gatewayKey(kMaster)), 204);
}

}  // namespace
}  // namespace pilotlight::gateway::test
