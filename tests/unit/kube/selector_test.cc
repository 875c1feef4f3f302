#include "kube/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace pilotlight::kube {

namespace {

bool matches(const char* selector, const char* labels) {
  const auto parsed = LabelSelector::parse(selector);
  EXPECT_TRUE(parsed.has_value()) << selector;
  return parsed && parsed->matches(Object(Json({{"metadata", {{"labels", Json::parse(labels)}}}})));
}

}  // namespace

TEST(LabelSelector, MatchesWhenAllTermsHold) {
  EXPECT_TRUE(matches("", "{}"));
  EXPECT_TRUE(matches("a=1", R"({"a": "1"})"));
  EXPECT_TRUE(matches(" a == 1 , b != 2 ", R"({"a": "1"})"));
  EXPECT_FALSE(matches("a=1,b=2", R"({"a": "1"})"));
  EXPECT_FALSE(matches("a!=1", R"({"a": "1"})"));
  EXPECT_TRUE(matches("a!=1", "{}"));
  EXPECT_TRUE(matches("a,!b", R"({"a": ""})"));
  EXPECT_FALSE(matches("!a", R"({"a": ""})"));
  EXPECT_TRUE(matches("a=", R"({"a": ""})"));
  EXPECT_TRUE(matches("example.com/x=y", R"({"example.com/x": "y"})"));
}

TEST(LabelSelector, AnObjectWithoutLabelsLacksThemAll) {
  EXPECT_FALSE(LabelSelector::parse("a")->matches(Object(Json::object())));
  EXPECT_TRUE(LabelSelector::parse("!a")->matches(Object(Json::object())));
}

TEST(LabelSelector, ErrorsNameTheTermAndWhatIsAllowed) {
  for (const char* bad : {"=x", "a=b=c", "a in (b)", ",a", "!", "a b"}) {
    const auto parsed = LabelSelector::parse(bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_THAT(parsed.error(), ::testing::HasSubstr("allowed"));
  }
}

}  // namespace pilotlight::kube
