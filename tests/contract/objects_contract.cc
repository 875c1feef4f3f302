// create, get, update, mergePatch: names, versions, generations.
#include "client_contract.h"

namespace pilotlight::kube {

using ::testing::HasSubstr;
using ::testing::Ne;
using ::testing::StartsWith;

TEST_P(ClientContract, CreateGivesIdentityAndGetReturnsTheSame) {
  const Object created = create(resources::configMaps, configMap("one"));
  EXPECT_EQ(created.key(), key("one"));
  EXPECT_FALSE(created.uid().empty());
  EXPECT_FALSE(created.resourceVersion().empty());
  EXPECT_FALSE(created.stringAt("/metadata/creationTimestamp").empty());
  EXPECT_EQ(created.stringAt("/data/a"), "1");
  const Object read = get(resources::configMaps, "one");
  EXPECT_EQ(read.uid(), created.uid());
  EXPECT_EQ(read.resourceVersion(), created.resourceVersion());
}

TEST_P(ClientContract, CreateOfAnExistingNameIsAlreadyExistsAndSaysWhatWasAttempted) {
  create(resources::configMaps, configMap("one"));
  const auto again = client.create(resources::configMaps, configMap("one"), "other");
  ASSERT_THAT(again, Fails(ErrorCode::alreadyExists));
  EXPECT_THAT(again.error().message, StartsWith("create configmaps " + ns + "/one: 409"));
}

TEST_P(ClientContract, GetOfNothingIsNotFound) {
  EXPECT_THAT(client.get(resources::configMaps, key("none")), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, TheServerOverwritesIdentityThatTheClientSends) {
  Json object = configMap("one");
  object["metadata"]["uid"] = "mine";
  object["metadata"]["generation"] = 77;
  object["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z";
  const Object created = create(resources::configMaps, object);
  EXPECT_THAT(created.uid(), Ne("mine"));
  EXPECT_FALSE(created.deleting());
}

TEST_P(ClientContract, GenerateNameMakesDifferentNames) {
  Json object = configMap("unused");
  object["metadata"].erase("name");
  object["metadata"]["generateName"] = "gen-";
  const Object first = create(resources::configMaps, object);
  const Object second = create(resources::configMaps, object);
  EXPECT_THAT(first.name(), StartsWith("gen-"));
  EXPECT_EQ(first.name().size(), 9U);
  EXPECT_NE(first.name(), second.name());
}

TEST_P(ClientContract, NamesAreDnsSubdomains) {
  for (const std::string bad : {"Upper", "under_score", "-dash", "dash-", "a..b", "sp ace"}) {
    EXPECT_THAT(client.create(resources::configMaps, configMap(bad), "test"), Fails(ErrorCode::invalid)) << bad;
  }
  EXPECT_THAT(client.create(resources::configMaps, configMap(std::string(254, 'a')), "test"), Fails(ErrorCode::invalid));
  create(resources::configMaps, configMap("a.b-c.0"));
  EXPECT_THAT(client.create(resources::services, service("with.dot"), "test"), Fails(ErrorCode::invalid)) << "a service's is a DNS label";
}

TEST_P(ClientContract, UpdateReplacesTheWholeObject) {
  const Object created = create(resources::configMaps, configMap("one", {{"a", "1"}, {"b", "2"}}));
  Json next = configMap("one", {{"b", "3"}});
  next["metadata"]["resourceVersion"] = created.resourceVersion();
  const Object updated = must(client.update(resources::configMaps, next, "updater"));
  EXPECT_EQ(*updated.at("/data"), Json({{"b", "3"}}));
  EXPECT_EQ(updated.uid(), created.uid());
  EXPECT_NE(updated.resourceVersion(), created.resourceVersion());
}

TEST_P(ClientContract, UpdateWithAStaleVersionIsAConflict) {
  const Object first = create(resources::configMaps, configMap("one"));
  must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "2"}}}}, "test"));
  Json stale = first.json();
  stale["data"]["a"] = "3";
  EXPECT_THAT(client.update(resources::configMaps, stale, "test"), Fails(ErrorCode::conflict));
  EXPECT_EQ(get(resources::configMaps, "one").stringAt("/data/a"), "2");
}

TEST_P(ClientContract, UpdateWithoutAVersionOverwritesBuiltInKindsButIsInvalidForOurs) {
  create(resources::configMaps, configMap("one"));
  must(client.update(resources::configMaps, configMap("one", {{"a", "9"}}), "test"));
  create(resources::functions, function("fn"));
  EXPECT_THAT(client.update(resources::functions, function("fn"), "test"), Fails(ErrorCode::invalid));
}

TEST_P(ClientContract, UpdateOfNothingIsNotFound) {
  EXPECT_THAT(client.update(resources::configMaps, configMap("none"), "test"), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, UpdateThatChangesNothingKeepsTheVersion) {
  const Object created = create(resources::configMaps, configMap("one"));
  EXPECT_EQ(must(client.update(resources::configMaps, created.json(), "other")).resourceVersion(), created.resourceVersion());
}

TEST_P(ClientContract, UpdateWithAnotherObjectsUidIsAConflict) {
  create(resources::configMaps, configMap("one"));
  Json next = configMap("one");
  next["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000";
  EXPECT_THAT(client.update(resources::configMaps, next, "test"), Fails(ErrorCode::conflict));
}

TEST_P(ClientContract, MergePatchMergesMapsAndNullRemoves) {
  create(resources::configMaps, configMap("one", {{"a", "1"}, {"b", "2"}}));
  const Object patched = must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", nullptr}, {"c", "3"}}}}, "patcher"));
  EXPECT_EQ(*patched.at("/data"), Json({{"b", "2"}, {"c", "3"}}));
}

TEST_P(ClientContract, MergePatchWithAStaleVersionIsAConflictAndOfNothingNotFound) {
  const Object first = create(resources::configMaps, configMap("one"));
  must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "2"}}}}, "test"));
  const Json stale = {{"metadata", {{"resourceVersion", first.resourceVersion()}}}, {"data", {{"a", "3"}}}};
  EXPECT_THAT(client.mergePatch(resources::configMaps, key("one"), stale, "test"), Fails(ErrorCode::conflict));
  EXPECT_THAT(client.mergePatch(resources::configMaps, key("none"), {{"data", {{"a", "3"}}}}, "test"), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, GenerationRisesWithTheSpecOnly) {
  const Object created = create(resources::functions, function("fn"));
  EXPECT_EQ(created.generation(), 1);
  const Object labelled = must(client.mergePatch(resources::functions, key("fn"), {{"metadata", {{"labels", {{"a", "b"}}}}}}, "test"));
  EXPECT_EQ(labelled.generation(), 1);
  const Object changed = must(client.mergePatch(resources::functions, key("fn"), {{"spec", {{"image", "example/image:2"}}}}, "test"));
  EXPECT_EQ(changed.generation(), 2);
  const Object status = must(client.mergePatch(resources::functions, key("fn"), {{"status", {{"url", "http://x"}}}}, "test", "status"));
  EXPECT_EQ(status.generation(), 2);
  EXPECT_EQ(create(resources::configMaps, configMap("one")).generation(), 0) << "a kind without a spec has none";
}

TEST_P(ClientContract, ADeploymentWithoutReplicasHasOne) {
  EXPECT_EQ(create(resources::deployments, deployment("d")).intAt("/spec/replicas"), 1);
}

TEST_P(ClientContract, EventsArePlainObjects) {
  const Json event = {{"apiVersion", "v1"},
                      {"kind", "Event"},
                      {"metadata", meta("fn.1")},
                      {"type", "Warning"},
                      {"reason", "Broken"},
                      {"message", "it is"},
                      {"count", 1},
                      {"involvedObject", {{"kind", "Function"}, {"name", "fn"}, {"namespace", ns}}}};
  EXPECT_EQ(create(resources::events, event).stringAt("/reason"), "Broken");
  const Object patched = must(client.mergePatch(resources::events, key("fn.1"), {{"count", 2}}, "test"));
  EXPECT_EQ(patched.intAt("/count"), 2);
}

}  // namespace pilotlight::kube
