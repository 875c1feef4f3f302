// What the in-memory cluster promises beyond the client's contract.
#include "kube/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace pilotlight::kube {

using std::chrono::seconds;
using ::testing::HasSubstr;

namespace {

Json configMap(const std::string& name, const std::string& value = "1") {
  return {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}, {"namespace", "test"}}}, {"data", {{"a", value}}}};
}

Json deployment(const std::string& name) {
  return {{"apiVersion", "apps/v1"},
          {"kind", "Deployment"},
          {"metadata", {{"name", name}, {"namespace", "test"}}},
          {"spec", {{"replicas", 0}}}};
}

Json setting(const std::string& value) {
  return {{"data", {{"a", value}}}};
}

const Key kOne{"test", "one"};

Object must(const Result<Object>& result) {
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
  return result.value_or(Object(Json::object()));
}

}  // namespace

TEST(MemoryCluster, AnObjectWithoutANamespaceGoesToDefault) {
  MemoryCluster cluster;
  Json object = configMap("one");
  object["metadata"].erase("namespace");
  EXPECT_EQ(must(cluster.create(resources::configMaps, object, "test")).namespace_(), "default");
}

TEST(MemoryCluster, ObjectsOfAnotherKindOrWithBrokenMetadataAreBadRequests) {
  MemoryCluster cluster;
  const auto refuse = [&](const Json& object) {
    const auto result = cluster.create(resources::configMaps, object, "test");
    return !result && result.error().code == ErrorCode::badRequest;
  };
  Json object = configMap("one");
  EXPECT_TRUE(refuse(Json("text")));
  EXPECT_TRUE(refuse(deployment("one")));
  object["metadata"]["labels"] = {{"a", 1}};
  EXPECT_TRUE(refuse(object));
  object = configMap("one");
  object["metadata"]["ownerReferences"] = Json::array({{{"name", "x"}}});
  EXPECT_TRUE(refuse(object));
  object = configMap("one");
  object["metadata"]["resourceVersion"] = "5";
  EXPECT_TRUE(refuse(object));
  must(cluster.create(resources::configMaps, configMap("one"), "test"));
  EXPECT_FALSE(cluster.mergePatch(resources::configMaps, kOne, {{"metadata", {{"finalizers", 5}}}}, "test", "").has_value());
}

TEST(MemoryCluster, AdmitDefaultsAndRefusesOnEveryWriteOfTheMainResource) {
  MemoryClusterOptions options;
  options.admit = [](const Json& object) -> std::expected<Json, std::string> {
    Json out = object;
    if (out["data"].value("a", "") == "bad") return std::unexpected("data.a: must not be bad");
    out["data"].emplace("defaulted", "yes");
    return out;
  };
  MemoryCluster cluster(std::move(options));
  EXPECT_EQ(must(cluster.create(resources::configMaps, configMap("one"), "test")).stringAt("/data/defaulted"), "yes");
  const Object applied = must(cluster.apply(resources::configMaps, configMap("two"), {"test"}));
  EXPECT_EQ(applied.stringAt("/data/defaulted"), "yes");
  EXPECT_EQ(must(cluster.apply(resources::configMaps, configMap("two"), {"test"})).resourceVersion(), applied.resourceVersion());
  EXPECT_EQ(must(cluster.update(resources::configMaps, configMap("one", "2"), "test")).stringAt("/data/defaulted"), "yes");

  for (const auto& refused : {cluster.create(resources::configMaps, configMap("three", "bad"), "test"),
                              cluster.apply(resources::configMaps, configMap("two", "bad"), {"test"}),
                              cluster.update(resources::configMaps, configMap("one", "bad"), "test"),
                              cluster.mergePatch(resources::configMaps, kOne, setting("bad"), "test", "")}) {
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::invalid);
    EXPECT_THAT(refused.error().message, HasSubstr("data.a: must not be bad"));
  }
}

TEST(MemoryCluster, TheClockGivesTheTimestamps) {
  MemoryClusterOptions options;
  options.now = [] { return std::chrono::system_clock::time_point(seconds(1'769'860'800)); };
  MemoryCluster cluster(std::move(options));
  EXPECT_EQ(must(cluster.create(resources::configMaps, configMap("one"), "test")).stringAt("/metadata/creationTimestamp"),
            "2026-01-31T12:00:00Z");
}

TEST(MemoryCluster, VersionsThatLeftTheHistoryAreGone) {
  MemoryCluster cluster({.historyPerResource = 3});
  const Object first = must(cluster.create(resources::configMaps, configMap("one"), "test"));
  std::vector<std::string> versions{first.resourceVersion()};
  for (int i = 0; i < 5; ++i) {
    versions.push_back(
        must(cluster.mergePatch(resources::configMaps, kOne, setting("v" + std::to_string(i)), "test", "")).resourceVersion());
  }
  const auto old = cluster.watch(resources::configMaps, {"", "", versions[0], seconds(10)});
  ASSERT_FALSE(old.has_value());
  EXPECT_EQ(old.error().code, ErrorCode::gone);
  const auto recent = cluster.watch(resources::configMaps, {"", "", versions[2], seconds(10)});
  ASSERT_TRUE(recent.has_value());
  EXPECT_EQ((**(*recent)->next(seconds(10))).object.stringAt("/data/a"), "v2");
}

TEST(MemoryCluster, TheHistoryIsBoundedInBytes) {
  MemoryCluster cluster({.historyBytesPerResource = 10'000});
  const Object first = must(cluster.create(resources::configMaps, configMap("one", std::string(4000, 'x')), "test"));
  std::string last;
  for (const char c : {'a', 'b', 'c', 'd'}) {
    last = must(cluster.mergePatch(resources::configMaps, kOne, setting(std::string(4000, c)), "test", "")).resourceVersion();
  }
  EXPECT_FALSE(cluster.watch(resources::configMaps, {"", "", first.resourceVersion(), seconds(10)}).has_value());
  EXPECT_TRUE(cluster.watch(resources::configMaps, {"", "", last, seconds(10)}).has_value());
}

TEST(MemoryCluster, AWatchThatDoesNotKeepUpIsGone) {
  MemoryCluster cluster({.historyPerResource = 3});
  const Object first = must(cluster.create(resources::configMaps, configMap("one"), "test"));
  const auto stream = cluster.watch(resources::configMaps, {"", "", first.resourceVersion(), seconds(10)});
  for (int i = 0; i < 5; ++i) must(cluster.mergePatch(resources::configMaps, kOne, setting(std::to_string(i + 10)), "test", ""));
  const auto event = (*stream)->next(seconds(10));
  ASSERT_FALSE(event.has_value());
  EXPECT_EQ(event.error().code, ErrorCode::gone);
}

TEST(MemoryCluster, AWatchSharesTheObjectsOfTheCluster) {
  MemoryCluster cluster;
  const auto stream = cluster.watch(resources::configMaps, {"", "", "", seconds(10)});
  must(cluster.create(resources::configMaps, configMap("one"), "test"));
  const auto event = (*stream)->next(seconds(10));
  EXPECT_EQ(&(**event).object.json(), &cluster.get(resources::configMaps, kOne)->json());
}

TEST(MemoryCluster, AnExpiredContinueTokenIsGoneAndAWrongOneABadRequest) {
  MemoryCluster cluster;
  for (const char* name : {"a", "b"}) must(cluster.create(resources::configMaps, configMap(name), "test"));
  const std::string token = cluster.list(resources::configMaps, {"", "", 1, ""})->continue_;
  for (int i = 0; i < 20; ++i) (void)cluster.list(resources::configMaps, {"", "", 1, ""});
  EXPECT_EQ(cluster.list(resources::configMaps, {"", "", 1, token}).error().code, ErrorCode::gone);
  EXPECT_EQ(cluster.list(resources::configMaps, {"", "", 1, "nonsense"}).error().code, ErrorCode::badRequest);
}

TEST(MemoryCluster, AfterShutdownEverythingIsCancelled) {
  MemoryCluster cluster;
  const auto stream = cluster.watch(resources::configMaps, {"", "", "", seconds(30)});
  std::thread waiting([&] { EXPECT_EQ((*stream)->next(seconds(30)).error().code, ErrorCode::cancelled); });
  cluster.shutdown();
  waiting.join();
  EXPECT_EQ(cluster.get(resources::configMaps, kOne).error().code, ErrorCode::cancelled);
  EXPECT_EQ(cluster.list(resources::configMaps, {}).error().code, ErrorCode::cancelled);
  EXPECT_EQ(cluster.watch(resources::configMaps, {}).error().code, ErrorCode::cancelled);
  EXPECT_EQ(cluster.create(resources::configMaps, configMap("one"), "test").error().code, ErrorCode::cancelled);
  EXPECT_EQ(cluster.apply(resources::configMaps, configMap("one"), {"test"}).error().code, ErrorCode::cancelled);
  EXPECT_EQ(cluster.remove(resources::configMaps, kOne, {}).error().code, ErrorCode::cancelled);
}

TEST(MemoryCluster, ConcurrentWritersLoseNoUpdateAndWatchesSeeEachInOrder) {
  constexpr int kThreads = 3;
  constexpr int kSteps = 50;
  MemoryCluster cluster;
  const Object first = must(cluster.create(resources::deployments, deployment("one"), "test"));
  const auto stream = cluster.watch(resources::deployments, {"", "", first.resourceVersion(), seconds(60)});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kSteps;) {
        const Object now = *cluster.get(resources::deployments, kOne);
        const int next = static_cast<int>(now.intAt("/spec/replicas")) + 1;
        if (cluster.patchScale(resources::deployments, kOne, next, now.resourceVersion(), "test")) ++done;
      }
    });
  }
  for (int expected = 1; expected <= kThreads * kSteps; ++expected) {
    const auto event = (*stream)->next(seconds(30));
    ASSERT_TRUE(event && *event);
    ASSERT_EQ((**event).object.intAt("/spec/replicas"), expected);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(cluster.get(resources::deployments, kOne)->intAt("/spec/replicas"), kThreads * kSteps);
}

}  // namespace pilotlight::kube
