// Leader election between processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "real_cluster.h"
#include "tests/support/subprocess.h"
#include "tests/support/wait.h"

namespace pilotlight::kube {

using std::chrono::seconds;
using ::testing::HasSubstr;

namespace {

class Holder {
 public:
  Holder(const std::string& ns, const std::string& identity)
      : process_({.argv = {LEASE_HOLDER, RealCluster::file("admin.kubeconfig"), ns, identity}, .environment = {}}) {}
  bool says(const std::string& word) const {
    return test::waitUntil([&] { return process_.out().find(word + "\n") != std::string::npos; }, seconds(60));
  }
  std::string out() const { return process_.out(); }
  void signal(int number) const { process_.signal(number); }

 private:
  test::Subprocess process_;
};

}  // namespace

TEST(LeaseElection, ALeaderThatWasStoppedWakesAndDoesNoHarm) {
  RealCluster cluster;
  const std::string ns = cluster.freshNamespace();
  const Key shared{ns, "shared"};
  const Json map = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "shared"}, {"namespace", ns}}}};
  ASSERT_TRUE(cluster.client().create(resources::configMaps, map, "test").has_value());

  const Holder first(ns, "first");
  ASSERT_TRUE(first.says("wrote")) << first.out();
  const Holder second(ns, "second");
  first.signal(SIGSTOP);
  ASSERT_TRUE(second.says("wrote")) << second.out();
  EXPECT_THAT(first.out(), ::testing::Not(HasSubstr("lost"))) << "stopped, it cannot know";
  first.signal(SIGCONT);
  ASSERT_TRUE(first.says("lost")) << first.out();

  // Whatever it tried between waking and hearing of it was refused: since the second began, all writes are the second's.
  const auto after = cluster.client().get(resources::configMaps, shared);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->stringAt("/data/by"), "second");
  const auto lease = cluster.client().get(resources::leases, {ns, "leader"});
  ASSERT_TRUE(lease.has_value());
  EXPECT_EQ(lease->stringAt("/spec/holderIdentity"), "second");
  EXPECT_EQ(lease->intAt("/spec/leaseTransitions"), 1);
  EXPECT_THAT(second.out(), ::testing::Not(HasSubstr("stale"))) << "no write came between its own";
}

TEST(LeaseElection, ALeaderThatIsKilledIsFollowed) {
  RealCluster cluster;
  const std::string ns = cluster.freshNamespace();
  const Json map = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "shared"}, {"namespace", ns}}}};
  ASSERT_TRUE(cluster.client().create(resources::configMaps, map, "test").has_value());
  const Holder first(ns, "first");
  ASSERT_TRUE(first.says("won")) << first.out();
  const Holder second(ns, "second");
  first.signal(SIGKILL);
  EXPECT_TRUE(second.says("wrote")) << second.out();
}

}  // namespace pilotlight::kube
