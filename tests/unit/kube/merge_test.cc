#include "kube/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/ownership.h"

namespace pilotlight::kube {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

namespace {

const Shape& shape() {
  return shapeOf(resources::functions);
}
Json json(const char* text) {
  return Json::parse(text);
}

std::string envOf(const Json& object) {
  std::string names;
  for (const Json& item : object["spec"]["env"]) names += item["name"].get<std::string>();
  return names;
}

Json env(const std::string& names) {
  Json list = Json::array();
  for (const char name : names) list.push_back({{"name", std::string(1, name)}});
  return {{"spec", {{"env", std::move(list)}}}};
}

}  // namespace

TEST(Compare, FindsChangesAndRemovals) {
  const Difference difference = compare(json(R"({"spec": {"image": "a", "timeout": "1s", "env": [{"name": "X", "value": "1"}]}})"),
                                        json(R"({"spec": {"image": "b", "env": [{"name": "X", "value": "2"}, {"name": "Y"}]}})"), shape());
  EXPECT_THAT(difference.changed.paths(),
              UnorderedElementsAre(".spec.image", ".spec.env[name=\"X\"].value", ".spec.env[name=\"Y\"]", ".spec.env[name=\"Y\"].name"));
  EXPECT_THAT(difference.removed.paths(), ElementsAre(".spec.timeout"));
}

TEST(Compare, AnAtomicListIsOneField) {
  const Difference difference = compare(json(R"({"spec": {"handler": ["a", "b"]}})"), json(R"({"spec": {"handler": ["a"]}})"), shape());
  EXPECT_THAT(difference.changed.paths(), ElementsAre(".spec.handler"));
  EXPECT_THAT(difference.removed.paths(), IsEmpty());
}

TEST(Merged, ListMapsKeepTheApplierOrderAndWhatIsOnlyLive) {
  const struct {
    const char *live, *config, *expected;
  } rows[] = {
      {"abc", "ca", "cab"}, {"abc", "b", "abc"}, {"abc", "cba", "cba"}, {"", "ba", "ba"},     {"ab", "", "ab"},
      {"axb", "ba", "bax"}, {"ab", "ay", "aby"}, {"bxa", "ab", "abx"},  {"ab", "yab", "yab"},
  };
  for (const auto& row : rows) {
    const auto once = merged(env(row.live), env(row.config), shape());
    ASSERT_TRUE(once.has_value());
    std::string expected = row.expected;
    std::string got = envOf(*once);
    EXPECT_EQ(std::string(got).size(), expected.size()) << row.live << " + " << row.config;
    EXPECT_EQ(envOf(*merged(*once, env(row.config), shape())), got) << "applied again it stays: " << row.live << " + " << row.config;
    std::erase_if(got, [&](char c) { return std::string_view(row.config).find(c) == std::string_view::npos; });
    EXPECT_EQ(got, row.config) << "the applier's order";
  }
  EXPECT_EQ(envOf(*merged(env("abc"), env("ca"), shape())), "cab");
}

TEST(Merged, ErrorsNameTheList) {
  const auto twice = merged(Json::object(), env("aa"), shape());
  ASSERT_FALSE(twice.has_value());
  EXPECT_THAT(twice.error(), HasSubstr(".spec.env: two elements with the same key"));
  const auto keyless = merged(Json::object(), json(R"({"spec": {"env": [{"value": "1"}]}})"), shape());
  ASSERT_FALSE(keyless.has_value());
  EXPECT_THAT(keyless.error(), HasSubstr(".spec.env: an element without its key"));
}

TEST(Prune, RemovesWhatNobodyKeepsAndContainersThatBecomeEmpty) {
  Json object =
      json(R"({"spec": {"http": {"hosts": ["a"]}, "env": [{"name": "A", "value": "1"}, {"name": "B"}], "scale": {"min": 1, "max": 2}}})");
  const FieldSet dropped =
      fieldsOf(json(R"({"spec": {"http": {"hosts": ["a"]}, "env": [{"name": "A", "value": "1"}], "scale": {"min": 1}}})"), shape());
  const FieldSet kept = fieldsOf(json(R"({"spec": {"scale": {"max": 2}}})"), shape());
  prune(object, shape(), dropped, kept);
  EXPECT_EQ(object, json(R"({"spec": {"env": [{"name": "B"}], "scale": {"max": 2}}})"));
}

TEST(Prune, AnElementInWhichOthersOwnAFieldStays) {
  Json object = json(R"({"spec": {"env": [{"name": "A", "value": "1"}]}})");
  FieldSet others;
  others.children["f:spec"].children["f:env"].children[R"(k:{"name":"A"})"].children["f:name"].member = true;
  prune(object, shape(), fieldsOf(object, shape()), others);
  EXPECT_EQ(object, json(R"({"spec": {"env": [{"name": "A"}]}})"));
}

TEST(ApplyConfig, ConflictsNameEachManagerAndField) {
  Ownership owners;
  owners.set({"kubectl", Manager::How::update, ""}, fieldsOf(json(R"({"spec": {"image": "a"}})"), shape()));
  owners.set({"autoscaler", Manager::How::update, "scale"}, fieldsOf(json(R"({"spec": {"replicas": 2}})"), shape()));
  const auto refused =
      applyConfig(json(R"({"spec": {"image": "a", "replicas": 2}})"), owners, json(R"({"spec": {"image": "b", "replicas": 1}})"),
                  {"operator", Manager::How::apply, ""}, false, shape());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_EQ(
      refused.error().message,
      "Apply failed with 2 conflicts: conflict with \"kubectl\": .spec.image; conflict with \"autoscaler\" with subresource \"scale\": "
      ".spec.replicas");
}

}  // namespace pilotlight::kube
