#include "cli/table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "cli/kubeconfig.h"
#include "cli/printers.h"
#include "cli/target.h"
#include "kube/status.h"
#include "kube/yaml.h"

namespace pilotlight::cli {
namespace {

using kube::Json;

TEST(Age, ReadsAsInKubectl) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {-5, "<invalid>"},
      {-1, "0s"},
      {0, "0s"},
      {119, "119s"},
      {120, "2m"},
      {303, "5m3s"},
      {600, "10m"},
      {10799, "179m"},
      {10800, "3h"},
      {3600 * 7 + 60, "7h1m"},
      {3600 * 8, "8h"},
      {3600 * 47, "47h"},
      {3600 * 48, "2d"},
      {3600 * 49, "2d1h"},
      {86400 * 8, "8d"},
      {86400 * 729, "729d"},
      {86400 * 730, "2y"},
      {86400 * 735, "2y5d"},
      {86400LL * 365 * 9, "9y"},
  };
  for (const auto& [seconds, text] : cases) EXPECT_EQ(formatAge(std::chrono::seconds(seconds)), text) << seconds;
}

TEST(Age, OfATimestampThatCannotBeReadIsUnknown) {
  const auto now = *api::parseTime("2026-01-31T12:00:00Z");
  EXPECT_EQ(formatAgeOf("", now), "<unknown>");
  EXPECT_EQ(formatAgeOf("2026-01-31T11:59:15Z", now), "45s");
}

TEST(TableText, AlignsColumnsAndShowsEmptyCells) {
  Table table({"NAME", "URL"});
  table.add({"hello", ""});
  table.add({"a", "http://x"});
  EXPECT_EQ(table.toString(), "NAME    URL\nhello   <none>\na       http://x\n");
  EXPECT_EQ(table.toString(false), "hello   <none>\na       http://x\n");
}

TEST(Printers, ShowAFunctionAsKubectlWould) {
  const kube::Object object(Json{{"metadata", {{"name", "hello"}, {"creationTimestamp", "2026-01-31T11:55:00Z"}}},
                                 {"spec", {{"runtime", "native"}}},
                                 {"status",
                                  {{"replicas", 2},
                                   {"url", "http://127.0.0.1:8080/hello"},
                                   {"versions", {{"stable", 7}}},
                                   {"conditions", {{{"type", "Ready"}, {"status", "False"}, {"reason", "RouteConflict"}}}}}}});
  const auto cells = cellsOf(kube::resources::functions, object, *api::parseTime("2026-01-31T12:00:00Z"));
  const std::vector<std::string> expected = {"hello", "False",        "2", "http://127.0.0.1:8080/hello", "5m", "0", "0", "native",
                                             "7",     "RouteConflict"};
  EXPECT_EQ(cells, expected);
  EXPECT_EQ(columnsOf(kube::resources::functions).size(), cells.size());
}

TEST(Printers, ShowWhyAPodWaits) {
  const kube::Object pod(Json{
      {"metadata", {{"name", "hello-1"}}},
      {"status",
       {{"phase", "Running"},
        {"containerStatuses", {{{"ready", false}, {"restartCount", 3}, {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}}}}}}}});
  const auto cells = cellsOf(kube::resources::pods, pod, {});
  EXPECT_EQ(cells[1], "0/1");
  EXPECT_EQ(cells[2], "CrashLoopBackOff");
  EXPECT_EQ(cells[3], "3");
}

TEST(Targets, TakeBothOfKubectlsForms) {
  const auto slash = parseTargets({"fn/a", "pod/b"});
  ASSERT_TRUE(slash);
  EXPECT_EQ((*slash)[1].resource, kube::resources::pods);
  const auto spaced = parseTargets({"functions.pilotlight.dev", "a", "b"});
  ASSERT_TRUE(spaced);
  EXPECT_EQ(spaced->size(), 2U);
  EXPECT_EQ((*spaced)[1].name, "b");
  EXPECT_NE(parseTargets({"thing"}).error().find("functions"), std::string::npos);
  EXPECT_FALSE(parseTargets({"fn/"}));
}

TEST(Yaml, KeepsTypesBothWays) {
  const Json json = {{"a", 1},
                     {"b", "1"},
                     {"c", true},
                     {"d", "yes"},
                     {"e", nullptr},
                     {"f", {1.5, "x: y", "", "-", "0x1f"}},
                     {"g", Json::object()},
                     {"h", "two\nlines\n"},
                     {"i", "null"}};
  EXPECT_EQ(*kube::yamlToJson(kube::jsonToYaml(json)), json) << kube::jsonToYaml(json);
}

TEST(Yaml, RefusesAnAliasBombAndBrokenText) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) bomb += std::string(i == 0 ? "*" : ", *") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  EXPECT_FALSE(kube::yamlToJson(bomb));
  EXPECT_FALSE(kube::yamlToJson("a: [1"));
}

TEST(StatusObject, RoundTripsEveryCode) {
  using enum kube::ErrorCode;
  for (const auto code : {notFound, alreadyExists, conflict, gone, invalid, badRequest, forbidden, tooManyRequests, timeout, unavailable}) {
    const auto back = kube::fromStatus(httpStatus(code), kube::toStatus({code, "why"}).dump());
    EXPECT_EQ(back.code, code);
    EXPECT_EQ(back.message, "why");
  }
  EXPECT_EQ(kube::fromStatus(502, "<html>").code, unavailable);
}

TEST(Kubeconfig, IsReadAsWritten) {
  const ApiAddress written{"http://127.0.0.1:39001", "0123456789", kLocalContext, "shop"};
  const auto read = kube::readKubeconfig(writeKubeconfig(written));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->server, written.server);
  EXPECT_EQ(read->credentials->current()->bearerToken, written.token);
  EXPECT_EQ(read->namespace_, "shop");
  EXPECT_EQ(read->context, kLocalContext);
}

TEST(Kubeconfig, WithoutOneSaysHowToStartAnInstance) {
  const auto none = findApi({"", "/nonexistent", [](const char*) { return std::string(); }});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().find("pilotlight local -f"), std::string::npos);
}

}  // namespace
}  // namespace pilotlight::cli
