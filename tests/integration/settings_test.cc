// The file of --config: what it sets is done by gateway and shims, and what is wrong in it is told at the start.
#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class Settings : public LocalTest {
 protected:
  std::string configFile(std::string_view yaml) const {
    const auto path = local.scratch() / "config.yaml";
    writeFile(path, yaml);
    return path.string();
  }

  std::string metrics() const {
    std::string text;
    waitUntil([&] { return !(text = local.metrics()).empty(); }, 10s);  // the API comes a little later than the gateway
    return text;
  }

  void startWithConfig(std::string_view yaml) {
    const auto started = local.start({"--config", configFile(yaml)});
    ASSERT_TRUE(started) << started.error();
  }
};

TEST_F(Settings, ReachTheGateway) {
  ASSERT_NO_FATAL_FAILURE(startWithConfig("gateway:\n  headBytes: 1Ki\n  pool: 17\n"));
  EXPECT_EQ(status(local.request({.headers = {{"X-Long", std::string(2000, 'x')}}})), 431);
  EXPECT_THAT(metrics(), HasSubstr("pilotlight_gateway_pool_size 17\n"));
}

TEST_F(Settings, OfTheCommandLineComeBeforeThoseOfTheFile) {
  const auto started = local.start({"--config", configFile("gateway: {pool: 17}"), "--pool", "18"});
  ASSERT_TRUE(started) << started.error();
  EXPECT_THAT(metrics(), HasSubstr("pilotlight_gateway_pool_size 18\n"));
}

TEST_F(Settings, ReachTheShimsAndNotTheirHandlers) {
  local.addFile("env/function.yaml",
                "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: env}\n"
                "spec: {runtime: exec, handler: [env], scale: {min: 1}}\n");
  ASSERT_NO_FATAL_FAILURE(startWithConfig("shim:\n  killTime: 7s\n  nativeBody: 1Mi\n"));
  ASSERT_TRUE(local.waitUntilReady("env"));
  const std::string handler = body(local.get("/env"));
  EXPECT_THAT(handler, HasSubstr("PILOTLIGHT_FUNCTION=env"));
  EXPECT_THAT(handler, Not(HasSubstr("PILOTLIGHT_KILL_TIME_MS")));
  const std::vector<Process> shims = local.shims("env");
  ASSERT_FALSE(shims.empty());
  const std::string shim = readFile("/proc/" + std::to_string(shims.front().pid) + "/environ");
  EXPECT_THAT(shim, HasSubstr("PILOTLIGHT_KILL_TIME_MS=7000"));
  EXPECT_THAT(shim, HasSubstr("PILOTLIGHT_NATIVE_BODY=1048576"));
}

TEST_F(Settings, ThatAreWrongEndTheStartByTheirNames) {
  const std::string file = configFile("gateway:\n  headTimeot: 1s\n  pool: many\nshim: {killTime: 0s}\nshims: {}\n");
  const Outcome outcome = local.cli({"local", "-f", local.functions().string(), "--config", file});
  EXPECT_EQ(outcome.exit, 1) << outcome.all();
  for (const char* text : {"config.yaml", "line 2: gateway.headTimeot: unknown field; did you mean 'headTimeout'",
                           "line 3: gateway.pool: must be a whole number", "line 4: shim.killTime: must be from 100ms to 10m, not 0s",
                           "line 5: shims: unknown field; did you mean 'shim'"}) {
    EXPECT_THAT(outcome.err, HasSubstr(text));
  }
}

TEST_F(Settings, FileThatIsNotThereIsTold) {
  const Outcome outcome = local.cli({"local", "-f", local.functions().string(), "--config", "/nowhere.yaml"});
  EXPECT_EQ(outcome.exit, 1) << outcome.all();
  EXPECT_THAT(outcome.err, HasSubstr("/nowhere.yaml: No such file"));
}

}  // namespace
}  // namespace pilotlight::test
