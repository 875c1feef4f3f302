// Deletion: finalizers, grace periods, preconditions, owners.
#include "client_contract.h"

namespace pilotlight::kube {

namespace {

constexpr const char* kFinalizer = "example.com/hold";

Json held(Json object) {
  object["metadata"]["finalizers"] = Json::array({kFinalizer});
  return object;
}

const Json kRelease = {{"metadata", {{"finalizers", nullptr}}}};

Json ownedBy(Json object, const Resource& resource, const std::vector<Object>& owners) {
  for (const Object& owner : owners) {
    object["metadata"]["ownerReferences"].push_back(
        {{"apiVersion", resource.apiVersion()}, {"kind", resource.kind}, {"name", owner.name()}, {"uid", owner.uid()}});
  }
  return object;
}

}  // namespace

TEST_P(ClientContract, RemoveRemoves) {
  create(resources::configMaps, configMap("one"));
  EXPECT_TRUE(client.remove(resources::configMaps, key("one")).has_value());
  EXPECT_THAT(client.get(resources::configMaps, key("one")), Fails(ErrorCode::notFound));
  EXPECT_THAT(client.remove(resources::configMaps, key("one")), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, ANewObjectOfAnOldNameHasAnotherUid) {
  const Object old = create(resources::configMaps, configMap("one"));
  (void)client.remove(resources::configMaps, key("one"));
  EXPECT_NE(create(resources::configMaps, configMap("one")).uid(), old.uid());
}

TEST_P(ClientContract, PreconditionsOfADeletionAreChecked) {
  const Object old = create(resources::configMaps, configMap("one"));
  must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "2"}}}}, "test"));
  DeleteOptions options;
  options.uid = "00000000-0000-4000-8000-000000000000";
  EXPECT_THAT(client.remove(resources::configMaps, key("one"), options), Fails(ErrorCode::conflict));
  options = {.uid = "", .resourceVersion = old.resourceVersion()};
  EXPECT_THAT(client.remove(resources::configMaps, key("one"), options), Fails(ErrorCode::conflict));
  options = {.uid = old.uid(), .resourceVersion = ""};
  EXPECT_TRUE(client.remove(resources::configMaps, key("one"), options).has_value());
}

TEST_P(ClientContract, AFinalizerHoldsADeletedObjectUntilItIsRemoved) {
  const Object created = create(resources::functions, held(function("fn")));
  ASSERT_TRUE(client.remove(resources::functions, key("fn")).has_value());
  const Object dying = get(resources::functions, "fn");
  EXPECT_TRUE(dying.deleting());
  EXPECT_EQ(dying.generation(), created.generation() + 1);
  EXPECT_TRUE(client.remove(resources::functions, key("fn")).has_value()) << "again is no error";
  EXPECT_EQ(get(resources::functions, "fn").resourceVersion(), dying.resourceVersion());
  EXPECT_THAT(client.create(resources::functions, function("fn"), "test"), Fails(ErrorCode::alreadyExists));
  must(client.mergePatch(resources::functions, key("fn"), kRelease, "test"));
  EXPECT_THAT(client.get(resources::functions, key("fn")), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, NoFinalizerCanBeAddedToADyingObject) {
  create(resources::configMaps, held(configMap("one")));
  (void)client.remove(resources::configMaps, key("one"));
  const Json patch = {{"metadata", {{"finalizers", Json::array({kFinalizer, "example.com/late"})}}}};
  EXPECT_THAT(client.mergePatch(resources::configMaps, key("one"), patch, "test"), Fails(ErrorCode::invalid));
  must(client.mergePatch(resources::configMaps, key("one"), kRelease, "test"));
}

TEST_P(ClientContract, ApplyingAwayTheLastFinalizerFreesTheObject) {
  apply(resources::configMaps, held(configMap("one")), "holder");
  (void)client.remove(resources::configMaps, key("one"));
  apply(resources::configMaps, configMap("one"), "holder");
  EXPECT_THAT(client.get(resources::configMaps, key("one")), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, APodStaysForItsGracePeriodUntilDeletedWithZero) {
  create(resources::pods, pod("p"));
  ASSERT_TRUE(client.remove(resources::pods, key("p")).has_value());
  Object dying = get(resources::pods, "p");
  EXPECT_TRUE(dying.deleting());
  EXPECT_EQ(dying.intAt("/metadata/deletionGracePeriodSeconds"), 30);
  ASSERT_TRUE(client.remove(resources::pods, key("p"), {.gracePeriodSeconds = 5}).has_value());
  EXPECT_EQ(get(resources::pods, "p").intAt("/metadata/deletionGracePeriodSeconds"), 5) << "it can be shortened";
  ASSERT_TRUE(client.remove(resources::pods, key("p"), {.gracePeriodSeconds = 60}).has_value());
  EXPECT_EQ(get(resources::pods, "p").intAt("/metadata/deletionGracePeriodSeconds"), 5) << "but not prolonged";
  ASSERT_TRUE(client.remove(resources::pods, key("p"), {.gracePeriodSeconds = 0}).has_value());
  EXPECT_THAT(client.get(resources::pods, key("p")), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, APodsOwnGracePeriodIsTheDefault) {
  Json object = pod("p");
  object["spec"]["terminationGracePeriodSeconds"] = 7;
  create(resources::pods, object);
  (void)client.remove(resources::pods, key("p"));
  EXPECT_EQ(get(resources::pods, "p").intAt("/metadata/deletionGracePeriodSeconds"), 7);
  (void)client.remove(resources::pods, key("p"), {.gracePeriodSeconds = 0});
}

TEST_P(ClientContract, APodThatHasEndedGoesAtOnce) {
  create(resources::pods, pod("p"));
  must(client.mergePatch(resources::pods, key("p"), {{"status", {{"phase", "Failed"}}}}, "kubelet", "status"));
  (void)client.remove(resources::pods, key("p"));
  EXPECT_THAT(client.get(resources::pods, key("p")), Fails(ErrorCode::notFound));
}

TEST_P(ClientGarbageContract, WhatAnObjectOwnsIsDeletedAfterIt) {
  const Object owner = create(resources::functions, function("fn"));
  const Object owned = create(resources::configMaps, ownedBy(configMap("owned"), resources::functions, {owner}));
  const Object ownedToo = create(resources::configMaps, ownedBy(configMap("owned-too"), resources::configMaps, {owned}));
  const auto stream = watch(resources::configMaps, ownedToo.resourceVersion());
  ASSERT_TRUE(client.remove(resources::functions, key("fn")).has_value());
  EXPECT_EQ(next(*stream).object.name(), "owned");
  EXPECT_EQ(next(*stream).object.name(), "owned-too");
  EXPECT_THAT(client.get(resources::configMaps, key("owned-too")), Fails(ErrorCode::notFound));
}

TEST_P(ClientGarbageContract, AnObjectWhoseOwnerIsAlreadyGoneIsDeleted) {
  const Object owner = create(resources::functions, function("fn"));
  ASSERT_TRUE(client.remove(resources::functions, key("fn")).has_value());
  create(resources::functions, function("fn"));  // of the same name, another uid
  const Object owned = create(resources::configMaps, ownedBy(configMap("owned"), resources::functions, {owner}));
  const auto stream = watch(resources::configMaps, owned.resourceVersion());
  const WatchEvent event = next(*stream);
  EXPECT_EQ(event.type, WatchEvent::Type::deleted);
  EXPECT_EQ(event.object.uid(), owned.uid());
}

TEST_P(ClientGarbageContract, AnObjectStaysWhileOneOwnerDoes) {
  const Object first = create(resources::functions, function("first"));
  const Object second = create(resources::functions, function("second"));
  const Object owned = create(resources::configMaps, ownedBy(configMap("owned"), resources::functions, {first, second}));
  const auto stream = watch(resources::configMaps, owned.resourceVersion());
  ASSERT_TRUE(client.remove(resources::functions, key("first")).has_value());
  const WatchEvent dropped = next(*stream);
  EXPECT_EQ(dropped.type, WatchEvent::Type::modified);
  EXPECT_EQ(dropped.object.at("/metadata/ownerReferences")->size(), 1U);
  ASSERT_TRUE(client.remove(resources::functions, key("second")).has_value());
  EXPECT_EQ(next(*stream).type, WatchEvent::Type::deleted);
}

TEST_P(ClientGarbageContract, AnOwnerHeldByAFinalizerKeepsWhatItOwns) {
  const Object owner = create(resources::functions, held(function("fn")));
  const Object owned = create(resources::configMaps, ownedBy(configMap("owned"), resources::functions, {owner}));
  (void)client.remove(resources::functions, key("fn"));
  EXPECT_FALSE(get(resources::configMaps, "owned").deleting());
  const auto stream = watch(resources::configMaps, owned.resourceVersion());
  must(client.mergePatch(resources::functions, key("fn"), kRelease, "test"));
  EXPECT_EQ(next(*stream).type, WatchEvent::Type::deleted);
}

}  // namespace pilotlight::kube
