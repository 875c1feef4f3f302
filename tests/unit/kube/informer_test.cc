#include "kube/informer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <random>

#include "kube/memory.h"
#include "tests/support/wait.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::SizeIs;

namespace {

Json configMap(const std::string& name, const std::string& value, const std::string& app = "x") {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}, {"namespace", "test"}, {"labels", {{"app", app}}}}},
          {"data", {{"a", value}}}};
}

/// Hands everything on to a cluster, and fails as it is told to.
class FlakyClient final : public Client {
 public:
  explicit FlakyClient(MemoryCluster& cluster) : cluster_(cluster) {}

  std::atomic<int> failLists{0};      ///< so many are unavailable
  std::atomic<int> goneWatches{0};    ///< so many are refused as gone
  std::atomic<int> brokenWatches{0};  ///< so many are unavailable
  std::atomic<int> silentWatches{0};  ///< so many never say anything
  std::atomic<int> watches{0};
  std::atomic<int> lists{0};

  Result<ObjectList> list(const Resource& resource, const ListOptions& options) override {
    ++lists;
    if (take(failLists)) return std::unexpected(Error{ErrorCode::unavailable, "down"});
    return cluster_.list(resource, options);
  }
  Result<std::unique_ptr<WatchStream>> watch(const Resource& resource, const WatchOptions& options) override {
    ++watches;
    if (take(goneWatches)) return std::unexpected(Error{ErrorCode::gone, "too old"});
    if (take(brokenWatches)) return std::unexpected(Error{ErrorCode::unavailable, "down"});
    if (take(silentWatches)) return std::make_unique<Silent>();
    return cluster_.watch(resource, options);
  }
  Result<Object> get(const Resource& r, const Key& k) override { return cluster_.get(r, k); }
  Result<Object> create(const Resource& r, const Json& o, const std::string& m) override { return cluster_.create(r, o, m); }
  Result<Object> update(const Resource& r, const Json& o, const std::string& m) override { return cluster_.update(r, o, m); }
  Result<Object> apply(const Resource& r, const Json& o, const ApplyOptions& a) override { return cluster_.apply(r, o, a); }
  Result<Object> applyStatus(const Resource& r, const Json& o, const ApplyOptions& a) override { return cluster_.applyStatus(r, o, a); }
  Result<Object> mergePatch(const Resource& r, const Key& k, const Json& p, const std::string& m, const std::string& s) override {
    return cluster_.mergePatch(r, k, p, m, s);
  }
  Result<Object> patchScale(const Resource& r, const Key& k, int n, const std::string& v, const std::string& m) override {
    return cluster_.patchScale(r, k, n, v, m);
  }
  Result<void> remove(const Resource& r, const Key& k, const DeleteOptions& o) override { return cluster_.remove(r, k, o); }

 private:
  /// A connection that is dead without saying so: nothing comes, not even the server's timeout.
  class Silent final : public WatchStream {
   public:
    Result<std::optional<WatchEvent>> next(milliseconds wait) override {
      std::unique_lock lock(mutex_);
      if (cancelled_.wait_for(lock, wait, [this] { return done_; })) return std::unexpected(Error{ErrorCode::cancelled, "stop"});
      return std::nullopt;
    }
    void cancel() override {
      std::lock_guard lock(mutex_);
      done_ = true;
      cancelled_.notify_all();
    }

   private:
    std::mutex mutex_;
    std::condition_variable cancelled_;
    bool done_ = false;
  };

  static bool take(std::atomic<int>& left) { return left > 0 && left-- > 0; }
  MemoryCluster& cluster_;
};

/// What an informer told, and a way to wait for it.
class Recorder {
 public:
  Informer::Handler handler() {
    return [this](const Object& before, const Object& after) {
      std::lock_guard lock(mutex_);
      const Object& object = after ? after : before;
      told_.push_back((!before ? "+" : !after ? "-" : "~") + object.name());
      state_[object.name()] = after ? after.stringAt("/data/a") : "";
      changed_.notify_all();
    };
  }
  bool waitFor(const std::string& name, const std::string& value) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(30), [&] { return state_.contains(name) && state_[name] == value; });
  }
  std::vector<std::string> told() {
    std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
  std::map<std::string, std::string> state_;
};

class InformerTest : public ::testing::Test {
 protected:
  static InformerOptions quick() {
    InformerOptions options;
    options.backoffMin = milliseconds(1);
    options.backoffMax = milliseconds(4);
    options.pageSize = 2;
    return options;
  }
  void set(const std::string& name, const std::string& value, const std::string& app = "x") {
    const auto result = cluster.apply(resources::configMaps, configMap(name, value, app), {"test"});
    EXPECT_TRUE(result.has_value());
  }
  void remove(const std::string& name) { EXPECT_TRUE(cluster.remove(resources::configMaps, {"test", name}, {}).has_value()); }

  MemoryCluster cluster{{.historyPerResource = 64}};
  FlakyClient client{cluster};
  Recorder recorder;
};

}  // namespace

TEST_F(InformerTest, ListsPageByPageThenFollows) {
  for (const char* name : {"a", "b", "c", "d", "e"}) set(name, "1");
  Informer informer(client, resources::configMaps, quick());
  informer.addHandler(recorder.handler());
  EXPECT_FALSE(informer.synced());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(30)));
  EXPECT_EQ(client.lists, 3);
  EXPECT_THAT(recorder.told(), ElementsAre("+a", "+b", "+c", "+d", "+e")) << "the handlers have seen the list";
  set("a", "2");
  remove("b");
  set("f", "1");
  ASSERT_TRUE(recorder.waitFor("f", "1"));
  EXPECT_THAT(recorder.told(), ElementsAre("+a", "+b", "+c", "+d", "+e", "~a", "-b", "+f"));
  EXPECT_EQ(informer.store().size(), 5U);
  EXPECT_EQ(informer.store().get({"test", "a"}).stringAt("/data/a"), "2");
  EXPECT_FALSE(informer.store().get({"test", "b"}));
  EXPECT_EQ(informer.restarts(), 0);
}

TEST_F(InformerTest, FindsObjectsByLabelIndexedOrNot) {
  InformerOptions options = quick();
  options.indexedLabels = {"app"};
  Informer informer(client, resources::configMaps, options);
  informer.addHandler(recorder.handler());
  set("a", "1", "x");
  set("b", "1", "y");
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(30)));
  EXPECT_THAT(informer.store().byLabel("app", "x"), SizeIs(1));
  set("a", "2", "y");
  ASSERT_TRUE(recorder.waitFor("a", "2"));
  EXPECT_THAT(informer.store().byLabel("app", "x"), SizeIs(0));
  EXPECT_THAT(informer.store().byLabel("app", "y"), SizeIs(2));
  remove("b");
  ASSERT_TRUE(recorder.waitFor("b", ""));
  EXPECT_THAT(informer.store().byLabel("app", "y"), SizeIs(1));
  EXPECT_THAT(informer.store().byLabel("other", "y"), SizeIs(0));
}

TEST_F(InformerTest, WhenItsVersionIsGoneItRelistsAndTellsWhatWentAway) {
  set("stays", "1");
  set("goes", "1");
  client.brokenWatches = 1'000'000;
  Informer informer(client, resources::configMaps, quick());
  informer.addHandler(recorder.handler());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(30)));
  remove("goes");
  set("comes", "1");
  client.goneWatches = 1;
  ASSERT_TRUE(recorder.waitFor("comes", "1"));  // by a list: no watch works yet
  client.brokenWatches = 0;
  ASSERT_TRUE(recorder.waitFor("goes", ""));
  EXPECT_TRUE(test::waitUntil([&] { return informer.restarts() >= 1; }, seconds(30))) << "counted once it is told";
  EXPECT_EQ(std::ranges::count(recorder.told(), "+stays"), 1) << "unchanged objects are not told again";
  EXPECT_EQ(informer.store().size(), 2U);
}

TEST_F(InformerTest, GoesOnWithoutRelistingWhenTheWatchBreaksOrEnds) {
  client.brokenWatches = 3;
  InformerOptions options = quick();
  options.watchTimeout = milliseconds(5);
  Informer informer(client, resources::configMaps, options);
  informer.addHandler(recorder.handler());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(30)));
  for (int i = 0; i < 20; ++i) {
    set("a", std::to_string(i));
    ASSERT_TRUE(recorder.waitFor("a", std::to_string(i)));
  }
  EXPECT_EQ(client.lists, 1);
  EXPECT_EQ(informer.restarts(), 0);
}

TEST_F(InformerTest, RetriesAFailingList) {
  client.failLists = 5;
  set("a", "1");
  Informer informer(client, resources::configMaps, quick());
  informer.start();
  EXPECT_TRUE(informer.waitForSync(seconds(30)));
  EXPECT_EQ(client.lists, 6);
  EXPECT_EQ(informer.store().size(), 1U);
}

TEST_F(InformerTest, LeavesAWatchThatIsSilentPastItsTimeout) {
  client.silentWatches = 1;
  InformerOptions options = quick();
  options.watchTimeout = milliseconds(5);
  options.idleMargin = milliseconds(5);
  Informer informer(client, resources::configMaps, options);
  informer.addHandler(recorder.handler());
  informer.start();
  ASSERT_TRUE(informer.waitForSync(seconds(30)));
  set("a", "1");
  EXPECT_TRUE(recorder.waitFor("a", "1"));
  EXPECT_GE(client.watches, 2);
}

TEST_F(InformerTest, StopsPromptlyInEveryState) {
  const auto began = std::chrono::steady_clock::now();
  InformerOptions slow = quick();
  slow.backoffMin = slow.backoffMax = seconds(60);
  {
    Informer watching(client, resources::configMaps, slow);
    watching.start();
    ASSERT_TRUE(watching.waitForSync(seconds(30)));
    watching.stop();
    watching.stop();
  }
  client.silentWatches = 1;
  {
    Informer silent(client, resources::configMaps, slow);
    silent.start();
    ASSERT_TRUE(silent.waitForSync(seconds(30)));
  }
  client.failLists = 1;
  {
    Informer backingOff(client, resources::configMaps, slow);
    backingOff.start();
    EXPECT_FALSE(backingOff.waitForSync(milliseconds(20)));
  }
  {
    Informer neverStarted(client, resources::configMaps, slow);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(30));
}

TEST_F(InformerTest, StopWakesWaitForSync) {
  client.failLists = 1'000'000;
  Informer informer(client, resources::configMaps, quick());
  informer.start();
  std::thread waiting([&] { EXPECT_FALSE(informer.waitForSync(seconds(60))); });
  informer.stop();
  waiting.join();
}

/// Whatever happens to the cluster and the connection, the store ends as the list is.
class InformerProperty : public InformerTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  void randomWrite(std::mt19937& random) {
    const std::string name(1, static_cast<char>('a' + random() % 12));
    const std::string app(1, static_cast<char>('x' + random() % 2));
    switch (random() % 6) {
      case 0:
        (void)cluster.remove(resources::configMaps, {"test", name}, {});
        break;
      case 1:
        (void)cluster.create(resources::configMaps, configMap(name, std::to_string(random() % 5), app), "creator");
        break;
      case 2:
        (void)cluster.mergePatch(resources::configMaps, {"test", name}, {{"data", {{"b", std::to_string(random() % 5)}}}}, "patcher", "");
        break;
      case 3: {  // hold and free
        const Json finalizers = random() % 2 == 0 ? Json::array({"example.com/x"}) : Json();
        (void)cluster.mergePatch(resources::configMaps, {"test", name}, {{"metadata", {{"finalizers", finalizers}}}}, "holder", "");
        break;
      }
      default:
        (void)cluster.apply(resources::configMaps, configMap(name, std::to_string(random() % 5), app), {"applier", true});
    }
    if (random() % 16 == 0) client.goneWatches = 1;
    if (random() % 16 == 0) client.brokenWatches = 2;
    if (random() % 32 == 0) client.failLists = 1;
  }

  static std::map<Key, std::string> versions(const std::vector<Object>& objects) {
    std::map<Key, std::string> out;
    for (const Object& object : objects) out[object.key()] = object.resourceVersion();
    return out;
  }
};

TEST_P(InformerProperty, TheStoreEndsAsTheListIs) {
  std::mt19937 random(GetParam());
  InformerOptions all = quick();
  all.watchTimeout = milliseconds(3);
  InformerOptions selected = all;
  selected.labelSelector = "app=x";
  Informer everything(client, resources::configMaps, all);
  Informer some(client, resources::configMaps, selected);
  Recorder other;
  everything.addHandler(recorder.handler());
  some.addHandler(other.handler());
  everything.start();
  some.start();
  for (int i = 0; i < 500; ++i) randomWrite(random);
  set("last", "last");
  ASSERT_TRUE(recorder.waitFor("last", "last"));
  ASSERT_TRUE(other.waitFor("last", "last"));
  EXPECT_EQ(versions(everything.store().list()), versions(cluster.list(resources::configMaps, {})->items));
  EXPECT_EQ(versions(some.store().list()), versions(cluster.list(resources::configMaps, {"", "app=x"})->items));
}

INSTANTIATE_TEST_SUITE_P(Seeds, InformerProperty, ::testing::Range(1U, 9U));

}  // namespace pilotlight::kube
