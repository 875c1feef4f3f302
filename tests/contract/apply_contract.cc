// Server-side apply: merging, ownership, conflicts, removal.
#include "client_contract.h"

namespace pilotlight::kube {

using ::testing::HasSubstr;

namespace {

Json& container(Json& deployment, std::size_t index = 0) {
  return deployment["spec"]["template"]["spec"]["containers"][index];
}

std::vector<std::string> namesIn(const Object& object, const char* pointer, const char* field = "name") {
  std::vector<std::string> names;
  const Json* list = object.at(pointer);
  if (list == nullptr) return names;
  for (const Json& item : *list) names.push_back(item.value(field, ""));
  return names;
}

constexpr const char* kContainers = "/spec/template/spec/containers";

}  // namespace

TEST_P(ClientContract, ApplyCreatesAndThenMerges) {
  const Object created = apply(resources::configMaps, configMap("one", {{"a", "1"}}), "first");
  EXPECT_FALSE(created.uid().empty());
  const Object merged = apply(resources::configMaps, configMap("one", {{"b", "2"}}), "second");
  EXPECT_EQ(*merged.at("/data"), Json({{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(merged.uid(), created.uid());
}

TEST_P(ClientContract, ApplyThatChangesNothingKeepsTheVersion) {
  const Object map = apply(resources::configMaps, configMap("one"), "first");
  EXPECT_EQ(apply(resources::configMaps, configMap("one"), "first").resourceVersion(), map.resourceVersion());
  const Object fn = apply(resources::functions, function("fn"), "first");
  const Object again = apply(resources::functions, function("fn"), "first");
  EXPECT_EQ(again.resourceVersion(), fn.resourceVersion());
  EXPECT_EQ(again.generation(), 1);
}

TEST_P(ClientContract, ApplyNeedsAFieldManager) {
  EXPECT_FALSE(client.apply(resources::configMaps, configMap("one"), {""}).has_value());
}

TEST_P(ClientContract, ApplyOfAFieldThatAnotherOwnsConflictsAndNamesManagerAndField) {
  apply(resources::configMaps, configMap("one", {{"a", "1"}}), "first");
  const auto refused = client.apply(resources::configMaps, configMap("one", {{"a", "2"}}), {"second"});
  ASSERT_THAT(refused, Fails(ErrorCode::conflict));
  EXPECT_THAT(refused.error().message, HasSubstr("\"first\""));
  EXPECT_THAT(refused.error().message, HasSubstr(".data.a"));
  EXPECT_EQ(get(resources::configMaps, "one").stringAt("/data/a"), "1");
}

TEST_P(ClientContract, ForceTakesTheFieldOver) {
  apply(resources::configMaps, configMap("one", {{"a", "1"}}), "first");
  EXPECT_EQ(apply(resources::configMaps, configMap("one", {{"a", "2"}}), "second", true).stringAt("/data/a"), "2");
  EXPECT_THAT(client.apply(resources::configMaps, configMap("one", {{"a", "1"}}), {"first"}), Fails(ErrorCode::conflict));
  EXPECT_EQ(apply(resources::configMaps, configMap("one", Json::object()), "first").stringAt("/data/a"), "2")
      << "no longer first's to remove";
}

TEST_P(ClientContract, TheSameValueIsOwnedTogether) {
  apply(resources::configMaps, configMap("one", {{"a", "1"}}), "first");
  apply(resources::configMaps, configMap("one", {{"a", "1"}}), "second");
  EXPECT_EQ(apply(resources::configMaps, configMap("one", Json::object()), "first").stringAt("/data/a"), "1") << "second still applies it";
  EXPECT_EQ(apply(resources::configMaps, configMap("one", Json::object()), "second").at("/data/a"), nullptr);
}

TEST_P(ClientContract, AFieldThatIsNoLongerAppliedIsRemoved) {
  apply(resources::configMaps, configMap("one", {{"a", "1"}, {"b", "2"}}), "first");
  EXPECT_EQ(*apply(resources::configMaps, configMap("one", {{"b", "2"}}), "first").at("/data"), Json({{"b", "2"}}));
}

TEST_P(ClientContract, ApplyConflictsWithWhatAnUpdateChanged) {
  apply(resources::configMaps, configMap("one", {{"a", "1"}}), "applier");
  must(client.mergePatch(resources::configMaps, key("one"), {{"data", {{"a", "2"}}}}, "patcher"));
  const auto refused = client.apply(resources::configMaps, configMap("one", {{"a", "1"}}), {"applier"});
  ASSERT_THAT(refused, Fails(ErrorCode::conflict));
  EXPECT_THAT(refused.error().message, HasSubstr("\"patcher\""));
}

TEST_P(ClientContract, ApplyWithAStaleVersionIsAConflict) {
  const Object first = apply(resources::configMaps, configMap("one", {{"a", "1"}}), "applier");
  apply(resources::configMaps, configMap("one", {{"a", "2"}}), "applier");
  Json stale = configMap("one", {{"a", "3"}});
  stale["metadata"]["resourceVersion"] = first.resourceVersion();
  EXPECT_THAT(client.apply(resources::configMaps, stale, {"applier"}), Fails(ErrorCode::conflict));
}

TEST_P(ClientContract, ApplyOrPatchWithAnotherUidIsInvalidSinceItCannotBeChanged) {
  apply(resources::configMaps, configMap("one"), "applier");
  apply(resources::functions, function("fn"), "applier");
  Json map = configMap("one", {{"a", "3"}});
  Json fn = function("fn");
  for (Json* other : {&map, &fn}) (*other)["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000";
  EXPECT_THAT(client.apply(resources::configMaps, map, {"applier"}), Fails(ErrorCode::invalid));
  EXPECT_THAT(client.apply(resources::functions, fn, {"applier"}), Fails(ErrorCode::invalid));
  EXPECT_THAT(client.mergePatch(resources::configMaps, key("one"), map, "patcher"), Fails(ErrorCode::invalid));
  EXPECT_EQ(get(resources::configMaps, "one").stringAt("/data/a"), "1");
}

TEST_P(ClientContract, WhoCreatesOwnsTheDefaultsToo) {
  create(resources::deployments, deployment("d"));
  Json withReplicas = deployment("d");
  withReplicas["spec"]["replicas"] = 2;
  const auto refused = client.apply(resources::deployments, withReplicas, {"applier"});
  ASSERT_THAT(refused, Fails(ErrorCode::conflict));
  EXPECT_THAT(refused.error().message, HasSubstr("\"creator\""));
  EXPECT_THAT(refused.error().message, HasSubstr(".spec.replicas"));
}

TEST_P(ClientContract, DryRunChangesNothing) {
  const Object first = apply(resources::configMaps, configMap("one", {{"a", "1"}}), "applier");
  EXPECT_EQ(must(client.apply(resources::configMaps, configMap("one", {{"a", "2"}}), {"applier", false, true})).stringAt("/data/a"), "2");
  EXPECT_EQ(get(resources::configMaps, "one").resourceVersion(), first.resourceVersion());
  must(client.apply(resources::configMaps, configMap("new"), {"applier", false, true}));
  EXPECT_THAT(client.get(resources::configMaps, key("new")), Fails(ErrorCode::notFound));
}

TEST_P(ClientContract, GenerationRisesWithAnAppliedSpec) {
  apply(resources::functions, function("fn"), "applier");
  Json changed = function("fn");
  changed["spec"]["image"] = "example/image:2";
  EXPECT_EQ(apply(resources::functions, changed, "applier").generation(), 2);
}

TEST_P(ClientContract, LabelsAndAnnotationsMergeByKey) {
  apply(resources::configMaps, labelled("one", {{"mine", "1"}}), "first");
  apply(resources::configMaps, labelled("one", {{"yours", "2"}}), "second");
  Json without = configMap("one");
  const Object after = apply(resources::configMaps, without, "first");
  EXPECT_EQ(*after.at("/metadata/labels"), Json({{"yours", "2"}}));
}

TEST_P(ClientContract, ContainersMergeByName) {
  apply(resources::deployments, deployment("d"), "operator");
  Json sidecar = deployment("d");
  sidecar["spec"] = {{"template", {{"spec", {{"containers", Json::array({{{"name", "side"}, {"image", "example/side:1"}}})}}}}}};
  const Object both = apply(resources::deployments, sidecar, "injector");
  EXPECT_THAT(namesIn(both, kContainers), ::testing::UnorderedElementsAre("main", "side"));
  EXPECT_THAT(namesIn(apply(resources::deployments, deployment("d"), "operator"), kContainers), ::testing::SizeIs(2));
  sidecar["spec"] = Json::object();
  EXPECT_THAT(namesIn(apply(resources::deployments, sidecar, "injector"), kContainers), ::testing::ElementsAre("main"));
}

TEST_P(ClientContract, ListsInAPodMergeByTheirKeys) {
  Json object = deployment("d");
  container(object)["env"] = Json::array({{{"name", "A"}, {"value", "1"}}});
  container(object)["ports"] = Json::array({{{"containerPort", 80}}});
  container(object)["volumeMounts"] = Json::array({{{"name", "v"}, {"mountPath", "/v"}}});
  object["spec"]["template"]["spec"]["volumes"] = Json::array({{{"name", "v"}, {"emptyDir", Json::object()}}});
  apply(resources::deployments, object, "first");
  Json more = object;
  container(more) = {{"name", "main"}};
  container(more)["env"] = Json::array({{{"name", "B"}, {"value", "2"}}});
  container(more)["ports"] = Json::array({{{"containerPort", 80}, {"protocol", "UDP"}}});
  container(more)["volumeMounts"] = Json::array({{{"name", "w"}, {"mountPath", "/w"}}});
  more["spec"]["template"]["spec"]["volumes"] = Json::array({{{"name", "w"}, {"emptyDir", Json::object()}}});
  const Object both = apply(resources::deployments, more, "second");
  EXPECT_THAT(namesIn(both, "/spec/template/spec/containers/0/env"), ::testing::UnorderedElementsAre("A", "B"));
  EXPECT_EQ(both.at("/spec/template/spec/containers/0/ports")->size(), 2U) << "port and protocol are the key";
  EXPECT_THAT(namesIn(both, "/spec/template/spec/containers/0/volumeMounts", "mountPath"), ::testing::UnorderedElementsAre("/v", "/w"));
  EXPECT_THAT(namesIn(both, "/spec/template/spec/volumes"), ::testing::UnorderedElementsAre("v", "w"));
}

TEST_P(ClientContract, AtomicListsAreReplacedAsAWhole) {
  Json object = deployment("d");
  container(object)["args"] = Json::array({"a", "b"});
  apply(resources::deployments, object, "operator");
  container(object)["args"] = Json::array({"c"});
  const Object after = apply(resources::deployments, object, "operator");
  EXPECT_EQ(*after.at("/spec/template/spec/containers/0/args"), Json::array({"c"}));
  Json other = deployment("d");
  container(other)["args"] = Json::array({"d"});
  EXPECT_THAT(client.apply(resources::deployments, other, {"other"}), Fails(ErrorCode::conflict));
}

TEST_P(ClientContract, AppliedListsTakeTheOrderOfTheApplier) {
  Json object = deployment("d");
  container(object)["env"] = Json::array({{{"name", "A"}, {"value", "1"}}, {{"name", "B"}, {"value", "2"}}});
  apply(resources::deployments, object, "operator");
  container(object)["env"] = Json::array({{{"name", "B"}, {"value", "2"}}, {{"name", "A"}, {"value", "1"}}});
  EXPECT_THAT(namesIn(apply(resources::deployments, object, "operator"), "/spec/template/spec/containers/0/env"),
              ::testing::ElementsAre("B", "A"));
}

TEST_P(ClientContract, AListMapWithTheSameKeyTwiceIsRefused) {
  Json object = deployment("d");
  container(object)["volumeMounts"] = Json::array({{{"name", "v"}, {"mountPath", "/v"}}, {{"name", "w"}, {"mountPath", "/v"}}});
  EXPECT_FALSE(client.apply(resources::deployments, object, {"operator"}).has_value());
}

TEST_P(ClientContract, AFunctionsEnvMergesByNameAndItsHandlerIsAtomic) {
  Json object = function("fn");
  object["spec"]["env"] = Json::array({{{"name", "A"}, {"value", "1"}}});
  apply(resources::functions, object, "first");
  object["spec"]["env"] = Json::array({{{"name", "B"}, {"value", "2"}}});
  EXPECT_THAT(namesIn(apply(resources::functions, object, "second"), "/spec/env"), ::testing::UnorderedElementsAre("A", "B"));
  object["spec"]["handler"] = Json::array({"/other"});
  EXPECT_THAT(client.apply(resources::functions, object, {"second"}), Fails(ErrorCode::conflict));
  EXPECT_EQ(*apply(resources::functions, object, "second", true).at("/spec/handler"), Json::array({"/other"}));
}

TEST_P(ClientContract, FinalizersMergeAsASet) {
  Json object = configMap("one");
  object["metadata"]["finalizers"] = Json::array({"example.com/a"});
  apply(resources::configMaps, object, "first");
  object["metadata"]["finalizers"] = Json::array({"example.com/b"});
  EXPECT_EQ(apply(resources::configMaps, object, "second").at("/metadata/finalizers")->size(), 2U);
  const Object left = apply(resources::configMaps, configMap("one"), "first");
  EXPECT_EQ(*left.at("/metadata/finalizers"), Json::array({"example.com/b"}));
  apply(resources::configMaps, configMap("one"), "second");
}

TEST_P(ClientContract, OwnerReferencesMergeByUid) {
  const Object a = create(resources::configMaps, configMap("owner-a"));
  const Object b = create(resources::configMaps, configMap("owner-b"));
  const auto owned = [this](const Object& owner) {
    Json object = configMap("one");
    object["metadata"]["ownerReferences"] =
        Json::array({{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", owner.name()}, {"uid", owner.uid()}}});
    return object;
  };
  apply(resources::configMaps, owned(a), "first");
  EXPECT_EQ(apply(resources::configMaps, owned(b), "second").at("/metadata/ownerReferences")->size(), 2U);
}

TEST_P(ClientContract, AServicesSelectorIsAtomic) {
  Json object = service("s");
  object["spec"]["selector"] = {{"a", "1"}};
  apply(resources::services, object, "first");
  object["spec"]["selector"] = {{"b", "2"}};
  EXPECT_THAT(client.apply(resources::services, object, {"second"}), Fails(ErrorCode::conflict));
  EXPECT_EQ(*apply(resources::services, object, "second", true).at("/spec/selector"), Json({{"b", "2"}}));
}

}  // namespace pilotlight::kube
