// How gateways know of each other: their pods in an in-memory cluster, and what they are told.
#include "gateway/peers.h"

#include <gmock/gmock.h>

#include "fixture.h"

namespace pilotlight::gateway {
namespace {

using kube::Json;
using net::test::eventually;
using testing::ElementsAre;

class PeersTest : public testing::Test {
 protected:
  ~PeersTest() override { cluster_.shutdown(); }

  void pod(const std::string& name, const std::string& phase = "Running", const std::string& ip = "127.0.0.9",
           const std::string& component = "gateway") {
    const Json object{{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", {{"name", name}, {"namespace", "home"}, {"labels", {{"component", component}}}}}};
    ASSERT_TRUE(cluster_.create(kube::resources::pods, object, "test"));
    status(name, phase, ip);
  }
  void status(const std::string& name, const std::string& phase, const std::string& ip) {
    const Json patch{{"status", {{"phase", phase}, {"podIP", ip}}}};
    ASSERT_TRUE(cluster_.mergePatch(kube::resources::pods, {"home", name}, patch, "test", "status"));
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const Peer& peer : *peers_.all()) names.push_back(peer.name);
    return names;
  }
  using Names = std::vector<std::string>;

  kube::MemoryCluster cluster_;
  Peers peers_{cluster_, {"gw-1", "uid-1", {}}, {.namespace_ = "home", .selector = "component=gateway"}};
};

TEST_F(PeersTest, AGatewayKnowsItselfBeforeTheApiDoes) {
  EXPECT_THAT(*peers_.all(), ElementsAre(Peer{"gw-1", "uid-1", {}}));
}

TEST_F(PeersTest, GatewaysThatRunAreKnownByNameUidAndAddressUntilTheyEnd) {
  std::vector<std::size_t> told;  // sizes, in their order
  std::mutex mutex;
  peers_.addHandler([&](const Peers::List& all) {
    std::lock_guard lock(mutex);
    told.push_back(all->size());
  });
  pod("gw-0");
  pod("gw-2", "Pending", "");
  pod("other", "Running", "127.0.0.8", "operator");
  peers_.start(9);
  ASSERT_TRUE(peers_.waitForSync(std::chrono::seconds(5)));
  EXPECT_EQ(names(), (Names{"gw-0", "gw-1"}));
  const Peer first = peers_.all()->front();
  EXPECT_EQ(first.uid, cluster_.get(kube::resources::pods, {"home", "gw-0"})->uid());
  EXPECT_EQ(first.address, (net::Address{"127.0.0.9", 9}));

  status("gw-2", "Running", "127.0.0.7");
  EXPECT_TRUE(eventually([&] { return names() == Names{"gw-0", "gw-1", "gw-2"}; }));
  status("gw-0", "Failed", "127.0.0.9");
  EXPECT_TRUE(eventually([&] { return names() == Names{"gw-1", "gw-2"}; }));
  ASSERT_TRUE(cluster_.remove(kube::resources::pods, {"home", "gw-2"}, {}));
  EXPECT_TRUE(eventually([&] { return names() == Names{"gw-1"}; }));
  peers_.stop();
  EXPECT_EQ(told, (std::vector<std::size_t>{2, 3, 2, 1}));
}

TEST_F(PeersTest, WhatTheApiSaysOfItsOwnPodDoesNotTakeAGatewayOutOfTheList) {
  pod("gw-1", "Failed");
  peers_.start(9);
  ASSERT_TRUE(peers_.waitForSync(std::chrono::seconds(5)));
  EXPECT_EQ(names(), (Names{"gw-1"}));
}

TEST_F(PeersTest, APodThatIsBeingDeletedIsNoPeerAnyMore) {
  const Json pod{{"metadata", {{"name", "gw-0"}, {"uid", "u"}, {"deletionTimestamp", "2026-01-01T00:00:00Z"}}},
                 {"status", {{"phase", "Running"}, {"podIP", "127.0.0.9"}}}};
  EXPECT_EQ(peerOf(kube::Object(pod), 9).address, net::Address{});
}

TEST(StaticPeersTest, WithoutAWatchTheyAreWhatTheyAreSetTo) {
  kube::MemoryCluster cluster;
  Peers peers(cluster, {"b"}, {});
  peers.start(9);
  ASSERT_TRUE(peers.waitForSync(std::chrono::milliseconds(0)));
  peers.set({{"c", "", {"127.0.0.3", 3}}, {"a", "", {"127.0.0.1", 1}}, {"b", "other", {"127.0.0.2", 2}}});
  EXPECT_THAT(*peers.all(), ElementsAre(Peer{"a", "", {"127.0.0.1", 1}}, Peer{"b"}, Peer{"c", "", {"127.0.0.3", 3}}));
}

}  // namespace
}  // namespace pilotlight::gateway
