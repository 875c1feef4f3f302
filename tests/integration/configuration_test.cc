// What a function gets from outside of its code, and what its status tells.
#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

using Configuration = LocalTest;

TEST_F(Configuration, SecretsAndConfigMapsAreFilesUnderTheMountRoot) {
  local.addExample("greeter");
  ASSERT_NO_FATAL_FAILURE(startWith({"greeter"}));
  const HttpResult result = local.request({.method = "POST", .target = "/greeter", .body = "Ada"});
  EXPECT_EQ(status(result), 200) << body(result);
  EXPECT_THAT(body(result), ::testing::StartsWith("Good day, Ada!\nsignature: "));
  EXPECT_THAT(local.output(), Not(HasSubstr("not a real key"))) << "a secret in the log";
}

TEST_F(Configuration, ASecretComesAsVariablesWhenAsked) {
  local.addFile("vars/function.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {API_KEY: sesame}\n---\n"
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: vars}\n"
                "spec:\n  runtime: exec\n  handler: [sh, -c, 'echo \"$API_KEY $STAGE\"']\n"
                "  env: [{name: STAGE, value: test}]\n"
                "  secrets: [{name: keys, env: true}]\n  scale: {initial: 0}\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"vars"}));
  EXPECT_EQ(body(local.get("/vars")), "sesame test\n");
}

TEST_F(Configuration, TheTestsEnvironmentDoesNotLeakIntoAFunction) {
  local.addFile("env/function.yaml",
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: env}\n"
                "spec: {runtime: exec, handler: [env], scale: {initial: 0}}\n");
  setenv("PILOTLIGHT_TEST_LEAK", "leaked", 1);
  ASSERT_NO_FATAL_FAILURE(startWith({"env"}));
  const std::string environment = body(local.get("/env"));
  EXPECT_THAT(environment, HasSubstr("PILOTLIGHT_FUNCTION=env"));
  EXPECT_THAT(environment, Not(HasSubstr("leaked")));
}

TEST_F(Configuration, ACrashLoopShowsInTheStatus) {
  local.addFile("crash/function.yaml",
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: crash}\n"
                "spec:\n  runtime: http\n  handler: [sh, -c, 'echo going down; exit 3']\n");
  ASSERT_NO_FATAL_FAILURE(start());
  const auto told = [](const json& function) { return conditionOf(function, "Ready").starts_with("False"); };
  EXPECT_TRUE(local.waitUntilFunction("crash", told)) << local.function("crash").dump(2);
  // The pod carries kubectl's own signs of it.
  Outcome pods;
  const auto looping = [&] {
    pods = local.cli({"get", "pods"});
    return pods.out.find("CrashLoopBackOff") != std::string::npos;
  };
  EXPECT_TRUE(waitUntil(looping, 30s)) << pods.all();
  const auto why = [](const json& function) {
    return conditionOf(function, "Ready").find("CrashLoopBackOff") != std::string::npos &&
           function.dump().find("going down") != std::string::npos;
  };
  EXPECT_TRUE(local.waitUntilFunction("crash", why, 10s)) << conditionOf(local.function("crash"), "Ready");
  const HttpResult result = local.get("/crash");
  EXPECT_EQ(status(result), 502) << body(result);
  EXPECT_THAT(body(result),
              ::testing::AllOf(HasSubstr("\"reason\":\"CrashLoopBackOff\""), HasSubstr("exit code"), HasSubstr("going down")));
}

}  // namespace
}  // namespace pilotlight::test
