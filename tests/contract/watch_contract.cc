// list and watch: selectors, pages, versions, ends.
#include <thread>

#include "client_contract.h"

namespace pilotlight::kube {

using Type = WatchEvent::Type;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

namespace {

std::vector<std::string> names(const std::vector<Object>& objects) {
  std::vector<std::string> out;
  for (const Object& object : objects) out.push_back(object.name());
  return out;
}

}  // namespace

TEST_P(ClientContract, ListSelectsByLabels) {
  create(resources::configMaps, labelled("a", {{"app", "x"}, {"tier", "web"}}));
  create(resources::configMaps, labelled("b", {{"app", "x"}}));
  create(resources::configMaps, labelled("c", {{"app", "y"}}));
  const auto select = [this](const std::string& selector) {
    const auto list = client.list(resources::configMaps, {ns, selector + ",app"});
    return list ? names(list->items) : std::vector{list.error().message};
  };
  EXPECT_THAT(select("app=x"), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(select("app==x,tier=web"), ElementsAre("a"));
  EXPECT_THAT(select("app!=x"), ElementsAre("c"));
  EXPECT_THAT(select("!tier"), UnorderedElementsAre("b", "c"));
  EXPECT_THAT(select("tier"), ElementsAre("a"));
  EXPECT_THAT(select("tier!=db"), UnorderedElementsAre("a", "b", "c")) << "without the label it differs too";
  EXPECT_THAT(client.list(resources::configMaps, {ns, "a=b=c"}), Fails(ErrorCode::badRequest));
}

TEST_P(ClientContract, ObjectsSayTheirKindAndNotWhoManagesTheirFields) {
  const Object created = create(resources::configMaps, labelled("one", {{"w", "1"}}));
  const auto list = client.list(resources::configMaps, {ns, "w=1"});
  const auto stream = watch(resources::configMaps, "", "w=1");
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list->items.size(), 1U);
  for (const Object& object : {created, list->items.front(), get(resources::configMaps, "one"), next(*stream).object}) {
    EXPECT_EQ(object.stringAt("/kind"), "ConfigMap");
    EXPECT_EQ(object.stringAt("/apiVersion"), "v1");
    EXPECT_EQ(object.name(), "one");
    EXPECT_EQ(object.at("/metadata/managedFields"), nullptr);
  }
}

TEST_P(ClientContract, MetadataAloneLeavesEverythingElseBehind) {
  Json object = labelled("one", {{"w", "1"}});
  object["kind"] = "Secret";
  object["data"] = {{"password", "c2VjcmV0"}};
  const Object created = create(resources::secrets, object);
  const auto list = client.list(resources::secrets, {.namespace_ = ns, .labelSelector = "w=1", .metadataOnly = true});
  ASSERT_TRUE(list.has_value()) << list.error().message;
  ASSERT_EQ(list->items.size(), 1U);
  const auto stream = client.watch(resources::secrets, {.namespace_ = ns, .labelSelector = "w=1", .metadataOnly = true});
  ASSERT_TRUE(stream.has_value()) << stream.error().message;
  for (const Object& seen : {list->items.front(), next(**stream).object}) {
    EXPECT_EQ(seen.uid(), created.uid());
    EXPECT_EQ(seen.resourceVersion(), created.resourceVersion());
    EXPECT_EQ(seen.label("w"), "1");
    EXPECT_EQ(seen.at("/data"), nullptr);
    EXPECT_EQ(seen.json().dump().find("c2VjcmV0"), std::string::npos);
  }
}

TEST_P(ClientContract, EventsAreSelectedByTheirFields) {
  const auto event = [this](const char* name, const char* reason, const char* kind) {
    create(resources::events, {{"apiVersion", "v1"},
                               {"kind", "Event"},
                               {"metadata", meta(name)},
                               {"reason", reason},
                               {"involvedObject", {{"kind", kind}, {"namespace", ns}, {"name", "x"}}}});
  };
  const std::string fields = "involvedObject.kind=Pod,reason=FailedMount";
  event("a", "FailedMount", "Pod");
  event("b", "Pulled", "Pod");
  event("c", "FailedMount", "Node");
  const auto list = client.list(resources::events, {.namespace_ = ns, .fieldSelector = fields});
  ASSERT_TRUE(list.has_value()) << list.error().message;
  EXPECT_THAT(names(list->items), ElementsAre("a"));
  const auto stream =
      client.watch(resources::events, {.namespace_ = ns, .resourceVersion = list->resourceVersion, .fieldSelector = fields});
  ASSERT_TRUE(stream.has_value()) << stream.error().message;
  event("d", "Pulled", "Pod");
  event("e", "FailedMount", "Pod");
  EXPECT_EQ(next(**stream).object.name(), "e");
}

TEST_P(ClientContract, AListOfNothingIsEmptyAndCanBeWatchedFrom) {
  const auto list = client.list(resources::functionVersions, {ns, ""});
  ASSERT_TRUE(list.has_value()) << list.error().message;
  EXPECT_TRUE(list->items.empty());
  EXPECT_TRUE(list->continue_.empty());
  const auto stream = watch(resources::configMaps, list->resourceVersion, "w=1");
  create(resources::configMaps, labelled("one", {{"w", "1"}}));
  EXPECT_EQ(next(*stream).object.name(), "one");
}

TEST_P(ClientContract, ListOfOneNamespaceOrOfAll) {
  create(resources::configMaps, labelled("here", {{"only", ns}}));
  Json elsewhere = labelled("there", {{"only", ns}});
  elsewhere["metadata"]["namespace"] = "default";
  create(resources::configMaps, elsewhere);
  EXPECT_THAT(names(client.list(resources::configMaps, {ns, "only=" + ns})->items), ElementsAre("here"));
  EXPECT_THAT(names(client.list(resources::configMaps, {"", "only=" + ns})->items), UnorderedElementsAre("here", "there"));
  (void)client.remove(resources::configMaps, {"default", "there"});
}

TEST_P(ClientContract, PagesAreOneConsistentList) {
  for (const char* name : {"a", "b", "c", "d", "e"}) create(resources::configMaps, labelled(name, {{"page", "1"}}));
  const auto first = client.list(resources::configMaps, {ns, "page=1", 2, ""});
  ASSERT_TRUE(first.has_value());
  ASSERT_FALSE(first->continue_.empty());
  ASSERT_TRUE(client.remove(resources::configMaps, key("d")).has_value());
  create(resources::configMaps, labelled("bb", {{"page", "1"}}));
  std::vector<std::string> seen = names(first->items);
  std::string token = first->continue_;
  while (!token.empty()) {
    const auto page = client.list(resources::configMaps, {ns, "page=1", 2, token});
    ASSERT_TRUE(page.has_value()) << page.error().message;
    EXPECT_EQ(page->resourceVersion, first->resourceVersion);
    for (const std::string& name : names(page->items)) seen.push_back(name);
    token = page->continue_;
  }
  EXPECT_THAT(seen, ElementsAre("a", "b", "c", "d", "e"));
}

TEST_P(ClientContract, AWatchFromAListSeesEveryLaterChangeInOrder) {
  create(resources::configMaps, labelled("before", {{"w", "1"}}));
  const auto list = client.list(resources::configMaps, {ns, "w=1"});
  ASSERT_TRUE(list.has_value());
  create(resources::configMaps, labelled("one", {{"w", "1"}}));
  const auto stream = watch(resources::configMaps, list->resourceVersion, "w=1");
  const Object changed = must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "2"}}}}, "test"));
  (void)client.remove(resources::configMaps, key("one"));

  const WatchEvent added = next(*stream);
  EXPECT_EQ(added.type, Type::added);
  EXPECT_EQ(added.object.stringAt("/data/a"), "1");
  const WatchEvent modified = next(*stream);
  EXPECT_EQ(modified.type, Type::modified);
  EXPECT_EQ(modified.object.resourceVersion(), changed.resourceVersion());
  const WatchEvent deleted = next(*stream);
  EXPECT_EQ(deleted.type, Type::deleted);
  EXPECT_EQ(deleted.object.stringAt("/data/a"), "2") << "the last state";
  EXPECT_NE(deleted.object.resourceVersion(), changed.resourceVersion()) << "numbered by the deletion";
}

TEST_P(ClientContract, AWatchCanGoOnFromAnyEvent) {
  const Object one = create(resources::configMaps, labelled("one", {{"w", "1"}}));
  const Object two = must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "2"}}}}, "test"));
  (void)client.remove(resources::configMaps, key("one"));
  const auto fromOne = watch(resources::configMaps, one.resourceVersion(), "w=1");
  const WatchEvent modified = next(*fromOne);
  EXPECT_EQ(modified.type, Type::modified);
  EXPECT_EQ(modified.object.stringAt("/data/a"), "2");
  const WatchEvent deleted = next(*fromOne);
  EXPECT_EQ(deleted.type, Type::deleted);
  create(resources::configMaps, labelled("two", {{"w", "1"}}));
  const auto fromDeletion = watch(resources::configMaps, deleted.object.resourceVersion(), "w=1");
  EXPECT_EQ(next(*fromDeletion).object.name(), "two");
}

TEST_P(ClientContract, AWatchWithoutAVersionBeginsWithWhatIsThere) {
  create(resources::configMaps, labelled("there", {{"w", "1"}}));
  const auto stream = watch(resources::configMaps, "", "w=1");
  const WatchEvent first = next(*stream);
  EXPECT_EQ(first.type, Type::added);
  EXPECT_EQ(first.object.name(), "there");
}

TEST_P(ClientContract, ToAWatchAnObjectThatLeavesTheSelectionIsDeletedAndOneThatEntersAdded) {
  const Object in = create(resources::configMaps, labelled("one", {{"w", "in"}}));
  const auto stream = watch(resources::configMaps, in.resourceVersion(), "w=in");
  const auto relabel = [this](const char* value) {
    return must(client.mergePatch(resources::configMaps, key("one"), {{"metadata", {{"labels", {{"w", value}}}}}}, "test"));
  };
  const Object out = relabel("out");
  const WatchEvent left = next(*stream);
  EXPECT_EQ(left.type, Type::deleted);
  EXPECT_EQ(left.object.resourceVersion(), out.resourceVersion());
  must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "unseen"}}}}, "test"));
  relabel("in");
  const WatchEvent entered = next(*stream);
  EXPECT_EQ(entered.type, Type::added);
  EXPECT_EQ(entered.object.label("w"), "in");
  // The same from the history.
  const auto replayed = watch(resources::configMaps, in.resourceVersion(), "w=in");
  EXPECT_EQ(next(*replayed).type, Type::deleted);
  EXPECT_EQ(next(*replayed).type, Type::added);
}

TEST_P(ClientContract, AWatchOfOneNamespaceSeesNoOther) {
  const Object start = create(resources::configMaps, labelled("start", {{"w", ns}}));
  const auto stream = watch(resources::configMaps, start.resourceVersion(), "w=" + ns);
  Json elsewhere = labelled("elsewhere", {{"w", ns}});
  elsewhere["metadata"]["namespace"] = "default";
  create(resources::configMaps, elsewhere);
  create(resources::configMaps, labelled("here", {{"w", ns}}));
  EXPECT_EQ(next(*stream).object.name(), "here");
  (void)client.remove(resources::configMaps, {"default", "elsewhere"});
}

TEST_P(ClientContract, AWatchFromAVersionThatIsTooOldIsGone) {
  const Object old = create(resources::configMaps, labelled("old", {{"w", "1"}}));
  create(resources::configMaps, labelled("newer", {{"w", "1"}}));
  forgetHistory();
  const auto stream = client.watch(resources::configMaps, {ns, "", old.resourceVersion(), std::chrono::seconds(10)});
  if (!stream) {
    EXPECT_EQ(stream.error().code, ErrorCode::gone);
  } else {
    EXPECT_THAT((*stream)->next(std::chrono::seconds(10)), Fails(ErrorCode::gone));
  }
}

TEST_P(ClientContract, AnUnchangedWriteIsNoEvent) {
  const Object one = apply(resources::configMaps, labelled("one", {{"w", "1"}}), "applier");
  const auto stream = watch(resources::configMaps, one.resourceVersion(), "w=1");
  apply(resources::configMaps, labelled("one", {{"w", "1"}}), "applier");
  create(resources::configMaps, labelled("two", {{"w", "1"}}));
  EXPECT_EQ(next(*stream).object.name(), "two");
}

TEST_P(ClientContract, AQuietWatchGivesNothingAndGoesOn) {
  const Object one = create(resources::configMaps, labelled("one", {{"w", "1"}}));
  const auto stream = watch(resources::configMaps, one.resourceVersion(), "w=1");
  const auto nothing = stream->next(std::chrono::milliseconds(20));
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  create(resources::configMaps, labelled("two", {{"w", "1"}}));
  EXPECT_EQ(next(*stream).object.name(), "two");
}

TEST_P(ClientContract, TheServerEndsAWatchAfterItsTimeout) {
  const Object one = create(resources::configMaps, labelled("one", {{"w", "1"}}));
  const auto stream = client.watch(resources::configMaps, {ns, "w=1", one.resourceVersion(), std::chrono::seconds(1)});
  ASSERT_TRUE(stream.has_value());
  auto event = (*stream)->next(std::chrono::seconds(30));
  while (event && *event) event = (*stream)->next(std::chrono::seconds(30));  // bookmarks
  EXPECT_THAT(event, Fails(ErrorCode::timeout));
}

TEST_P(ClientContract, CancelEndsAWaitingWatch) {
  const Object one = create(resources::configMaps, labelled("one", {{"w", "1"}}));
  const auto stream = watch(resources::configMaps, one.resourceVersion(), "w=1");
  std::thread canceller([&] { stream->cancel(); });
  auto event = stream->next(std::chrono::seconds(30));
  while (event && *event) event = stream->next(std::chrono::seconds(30));
  canceller.join();
  EXPECT_THAT(event, Fails(ErrorCode::cancelled));
  EXPECT_THAT(stream->next(std::chrono::seconds(30)), Fails(ErrorCode::cancelled));
}

}  // namespace pilotlight::kube
