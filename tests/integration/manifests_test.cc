// The watched folder: faults are told and contained, edits take effect.
#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

using Manifests = LocalTest;

constexpr const char* kIdle = "  scale: {initial: 0}\n";

TEST_F(Manifests, AWrongFileIsNamedWithLineAndFieldAndTheOthersAreServed) {
  local.addRecorder("good", kIdle);
  // Two functions in one file, the second wrong: the first must not be applied either.
  local.addRecorder("half", kIdle);
  const std::string wrong =
      local.recorderYaml("half", kIdle) + "---\n" + local.recorderYaml("wrong", "  concurrency:\n    perReplica: lots\n");
  local.addFile("half/function.yaml", wrong);
  ASSERT_NO_FATAL_FAILURE(startWith({"good"}));
  EXPECT_EQ(status(local.get("/good")), 200);
  EXPECT_EQ(status(local.get("/half")), 404);
  EXPECT_EQ(status(local.get("/wrong")), 404);
  EXPECT_THAT(local.output(), ContainsRegex("half/function\\.yaml:[0-9]+: spec\\.concurrency\\.perReplica: "));
}

TEST_F(Manifests, AnUnknownFieldAndABrokenFileAreTold) {
  local.addFile("unknown.yaml", local.recorderYaml("unknown", "  replica: 3\n"));
  local.addFile("broken.yaml", "apiVersion: [\n");
  ASSERT_NO_FATAL_FAILURE(start());
  const auto told = [&] {
    return local.output().find("spec.replica") != std::string::npos && local.output().find("broken.yaml:") != std::string::npos;
  };
  EXPECT_TRUE(waitUntil(told, 10s)) << local.output();
  EXPECT_THAT(local.output(), ContainsRegex("unknown\\.yaml:[0-9]+: spec\\.replica: "));
}

TEST_F(Manifests, AFileThatIsMendedIsApplied) {
  local.addRecorder("mended", "  scale: {initial: -7}\n");
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(status(local.get("/mended")), 404);
  local.addRecorder("mended", kIdle);
  EXPECT_TRUE(waitUntil([&] { return status(local.get("/mended")) == 200; }, 15s)) << body(local.get("/mended"));
}

TEST_F(Manifests, EditingAWatchedFileReappliesIt) {
  local.addRecorder("edited", kIdle, "before");
  ASSERT_NO_FATAL_FAILURE(startWith({"edited"}));
  EXPECT_THAT(body(local.get("/edited")), HasSubstr(" before"));
  local.addRecorder("edited", kIdle, "after");
  std::string answer;
  EXPECT_TRUE(waitUntil([&] { return (answer = body(local.get("/edited"))).ends_with(" after\n"); }, 15s)) << answer;
}

TEST_F(Manifests, EditingTheHandlersOwnFileStartsANewVersion) {
  local.addFile("page/function.yaml",
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: page}\n"
                "spec:\n  runtime: exec\n  handler: [sh, page.sh]\n  scale: {initial: 0}\n");
  local.addFile("page/page.sh", "echo old\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"page"}));
  EXPECT_EQ(body(local.get("/page")), "old\n");
  const auto version = [&] { return local.function("page").value("/status/versions/latest"_json_pointer, 0); };
  const int before = version();
  local.addFile("page/page.sh", "echo new\n");
  EXPECT_TRUE(waitUntil([&] { return body(local.get("/page")) == "new\n"; }, 15s));
  EXPECT_TRUE(waitUntil([&] { return version() > before; }, 15s));
}

TEST_F(Manifests, OfTwoFunctionsThatClaimOneHostAndPathTheOlderKeepsIt) {
  const std::string claim = "  scale: {initial: 0}\n  http:\n    hosts: [shop.example.com]\n    routes: [{path: /orders}]\n";
  local.addRecorder("older", claim, "older");
  ASSERT_NO_FATAL_FAILURE(startWith({"older"}));
  std::this_thread::sleep_for(1100ms);  // creation times have whole seconds
  local.addRecorder("newer", claim, "newer");
  const auto toldSo = [](const json& function) {
    for (const json& condition : function.value("/status/conditions"_json_pointer, json::array())) {
      if (condition.value("status", "") == "False" && condition.value("message", "").find("older") != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(local.waitUntilFunction("newer", toldSo)) << local.function("newer").dump(2);
  const HttpRequest contested{.target = "/orders", .host = "shop.example.com"};
  for (int i = 0; i < 5; ++i) EXPECT_THAT(body(local.request(contested)), HasSubstr(" older"));
  EXPECT_THAT(conditionOf(local.function("older"), "Ready"), ::testing::StartsWith("True"));

  ASSERT_EQ(local.cli({"delete", "fn/older"}).exit, 0);
  std::string answer;
  EXPECT_TRUE(waitUntil([&] { return (answer = body(local.request(contested))).ends_with(" newer\n"); }, 15s)) << answer;
}

}  // namespace
}  // namespace pilotlight::test
