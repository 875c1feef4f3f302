#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "api/manifest.h"
#include "api/yaml_parse.h"

namespace pilotlight::api {
namespace {

using testing::HasSubstr;

Json one(const std::string& text) {
  auto documents = parseYaml(text);
  if (!documents) return "error: " + documents.error().message;
  return documents->size() == 1 ? toJson(documents->front()) : Json("not one document");
}

std::string errorOf(const std::string& text) {
  auto documents = parseYaml(text);
  return documents ? "none" : std::to_string(documents.error().line) + ": " + documents.error().message;
}

TEST(Yaml, TypesScalarsByTheCoreSchema) {
  struct Case {
    const char* yaml;
    Json json;
  };
  const std::vector<Case> cases = {{"1", 1},         {"-7", -7},       {"+5", 5},          {"0x1F", 31},    {"0o17", 15},
                                   {"017", 17},      {"1.5", 1.5},     {".5", 0.5},        {"1e3", 1000.0}, {"true", true},
                                   {"False", false}, {"~", nullptr},   {"null", nullptr},  {"'1'", "1"},    {"\"true\"", "true"},
                                   {"yes", "yes"},   {"on", "on"},     {"1.2.3", "1.2.3"}, {"30s", "30s"},  {"-", "-"},
                                   {"e5", "e5"},     {"!!str 1", "1"}, {"1_000", "1_000"}, {"0x", "0x"}};
  for (const Case& c : cases) {
    if (std::string_view(c.yaml) == "-") continue;
    EXPECT_EQ(one("a: " + std::string(c.yaml)), (Json{{"a", c.json}})) << c.yaml;
  }
  EXPECT_EQ(one("8080: x"), (Json{{"8080", "x"}})) << "keys stay as they are written";
  EXPECT_EQ(one("a: 18446744073709551615")["a"], 18446744073709551615ULL);
}

TEST(Yaml, ResolvesAnchorsAndMergeKeys) {
  EXPECT_EQ(one("a: &x {k: 1}\nb: *x"), Json::parse(R"({"a": {"k": 1}, "b": {"k": 1}})"));
  EXPECT_EQ(one("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}"), Json::parse(R"({"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}})"));
  EXPECT_EQ(one("x: &x {k: 1}\ny: &y {k: 2, m: 3}\nb:\n  <<: [*x, *y]"),
            Json::parse(R"({"x": {"k": 1}, "y": {"k": 2, "m": 3}, "b": {"k": 1, "m": 3}})"));
  EXPECT_THAT(errorOf("a: 1\n<<: 5"), HasSubstr("a map or a list of maps"));
}

TEST(Yaml, SaysWhereItIsWrong) {
  EXPECT_THAT(errorOf("a: 1\nb: [1"), HasSubstr("not valid YAML"));
  EXPECT_EQ(errorOf("a: 1\nb: 2\na: 3"), "3: the key \"a\" is there twice");
  EXPECT_EQ(errorOf("? [a]\n: 1"), "1: a key must be a string");
  EXPECT_EQ(errorOf("~: 1"), "1: a key must be a string");
  EXPECT_EQ(errorOf("a: .inf"), "1: not a finite number: .inf");
  EXPECT_THAT(errorOf("a: &x [*x]"), HasSubstr("alias"));
  EXPECT_THAT(errorOf("a: *nobody"), HasSubstr("not valid YAML"));
  EXPECT_THAT(errorOf("a: !ruby/object x"), HasSubstr("tag"));
  EXPECT_THAT(errorOf(std::string("a: \x01", 4)), HasSubstr("control characters"));
  EXPECT_THAT(errorOf("a: \xff"), HasSubstr("UTF-8"));
}

TEST(Yaml, FindsTheLineOfAField) {
  auto documents = parseYaml("spec:\n  env:\n    - name: A\n    - value: x\n      name: 3\n  scale: {min: 1}\n");
  ASSERT_TRUE(documents);
  EXPECT_EQ(lineOf(documents->front(), "spec.env[1].name"), 5);
  EXPECT_EQ(lineOf(documents->front(), "spec.env[0].value"), 3) << "a missing field: its parent's line";
  EXPECT_EQ(lineOf(documents->front(), "spec.scale.min"), 6);
  EXPECT_EQ(lineOf(documents->front(), "spec.env[99]"), 2);
  EXPECT_EQ(lineOf(documents->front(), "nothing"), 1);
  for (const char* odd : {"", ".", "[", "]", "spec[", "spec.env[x]", "spec..", "spec.env[-1]", "spec.env[99999999999999999999]"}) {
    EXPECT_GT(lineOf(documents->front(), odd), 0) << odd;
  }
}

TEST(YamlBounds, StopBillionsOfLaughs) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int k = 0; k < 9; ++k) text += ", " + last;
    text += "]\n";
  }
  EXPECT_THAT(errorOf(text), HasSubstr("aliases"));
}

TEST(YamlBounds, StopLongStringsThatAreRepeated) {
  std::string text = "a: &a " + std::string(500'000, 'x') + "\nb: [";
  for (int i = 0; i < 1000; ++i) text += "*a, ";
  EXPECT_THAT(errorOf(text + "]"), HasSubstr("4 MiB"));
}

TEST(YamlBounds, StopDeepNesting) {
  EXPECT_THAT(errorOf(std::string(100, '[') + std::string(100, ']')), HasSubstr("deeper"));
  EXPECT_NE(errorOf(std::string(500'000, '[')), "none");
  EXPECT_NE(errorOf(std::string(500'000, '{')), "none");
  std::string dashes, indented;
  for (int i = 0; i < 20'000; ++i) dashes += "- ";
  EXPECT_NE(errorOf(dashes), "none");
  for (int i = 0; i < 1000; ++i) indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(errorOf(indented), "none");
  std::string chain =
      "a0: &a0 " + std::string(40, '[') + std::string(40, ']') + "\na1: " + std::string(40, '[') + "*a0" + std::string(40, ']');
  EXPECT_THAT(errorOf(chain), HasSubstr("deeper"));
}

TEST(YamlBounds, StopHugeFiles) {
  EXPECT_THAT(errorOf(std::string(kMaxYamlBytes + 1, ' ')), HasSubstr("1 MiB"));
}

TEST(YamlBounds, SurviveGarbage) {
  std::mt19937 random(7);
  const std::string alphabet = "{}[]:,-?&*!|>'\"%@`#\n\n  abc01~<=\t.";
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 60, ' ');
    for (char& c : text) c = round % 4 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
    auto manifests = readManifests("garbage.yaml", text);
    if (manifests) EXPECT_TRUE(manifests->empty()) << text;
  }
}

}  // namespace
}  // namespace pilotlight::api
