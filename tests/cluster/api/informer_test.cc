// The informer on a real API server that dies, forgets and refuses.
#include "kube/informer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <nlohmann/json.hpp>

#include "real_cluster.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Json configMap(const std::string& ns, const std::string& name, const std::string& value) {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}, {"namespace", ns}, {"labels", {{"i", "1"}}}}},
          {"data", {{"a", value}}}};
}

/// The last value of each object, and a way to wait for it.
class Values {
 public:
  Informer::Handler handler() {
    return [this](const Object& before, const Object& after) {
      const std::lock_guard lock(mutex_);
      values_[after ? after.name() : before.name()] = after ? after.stringAt("/data/a") : "";
      changed_.notify_all();
    };
  }
  bool become(const std::string& name, const std::string& value) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(60), [&] { return values_.contains(name) && values_[name] == value; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::string> values_;
};

class RealInformer : public ::testing::Test {
 protected:
  InformerOptions ours() const {
    InformerOptions options;
    options.namespace_ = ns;
    options.labelSelector = "i=1";
    return options;
  }
  void set(const std::string& name, const std::string& value) {
    const auto done = cluster.client().apply(resources::configMaps, configMap(ns, name, value), {"test"});
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }
  RealCluster cluster;
  const std::string ns = cluster.freshNamespace();
  Values values;
};

}  // namespace

TEST_F(RealInformer, GoesOnWhenTheApiServerWasKilledAndStartedAgain) {
  set("stays", "1");
  Informer informer(cluster.client(), resources::configMaps, ours());
  informer.addHandler(values.handler());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(60)));
  RealCluster::part("kill", "kube-apiserver");
  RealCluster::part("start", "kube-apiserver");
  set("comes", "1");
  EXPECT_TRUE(values.become("comes", "1"));
  ASSERT_TRUE(cluster.client().remove(resources::configMaps, {ns, "stays"}, {}).has_value());
  EXPECT_TRUE(values.become("stays", ""));
  EXPECT_EQ(informer.store().size(), 1U);
}

TEST_F(RealInformer, FollowsOverManyWatchesThatTheServerEnds) {
  InformerOptions options = ours();
  options.watchTimeout = seconds(1);
  Informer informer(cluster.client(), resources::configMaps, options);
  informer.addHandler(values.handler());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(60)));
  const auto until = std::chrono::steady_clock::now() + seconds(5);
  for (int i = 0; std::chrono::steady_clock::now() < until; ++i) {
    set("a", std::to_string(i));
    ASSERT_TRUE(values.become("a", std::to_string(i))) << i;
  }
  EXPECT_EQ(informer.restarts(), 0) << "without listing again";
}

/// A server that was stopped (SIGSTOP) is silent, and its kernel goes on answering for it: only the margin tells.
TEST_F(RealInformer, LeavesAServerThatFellSilent) {
  InformerOptions options = ours();
  options.watchTimeout = seconds(2);
  options.idleMargin = seconds(1);
  Informer informer(cluster.client(), resources::configMaps, options);
  informer.addHandler(values.handler());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(60)));
  std::ifstream file(RealCluster::file("run/kube-apiserver.pid"));
  pid_t pid = 0;
  ASSERT_TRUE(file >> pid);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  std::this_thread::sleep_for(seconds(4));  // what is tested is that time passes
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
  set("a", "1");
  EXPECT_TRUE(values.become("a", "1"));
}

}  // namespace pilotlight::kube
