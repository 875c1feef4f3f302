#include "runtime-shim/config.h"

#include <gtest/gtest.h>

#include <map>

namespace pilotlight::shim {
namespace {

std::expected<Config, std::string> read(std::map<std::string, std::string> env, std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  return readConfig(arguments, [&](const char* name) { return env.contains(name) ? env[name].c_str() : nullptr; });
}

TEST(ConfigTest, EverythingHasADefaultButTheHandler) {
  auto config = read({}, {"--", "serve", "-v"});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->handler, (std::vector<std::string>{"serve", "-v"}));
  EXPECT_EQ(config->listen.toString(), "0.0.0.0:8012");
  EXPECT_FALSE(config->local());
  EXPECT_EQ(read({}, {"--"}).error(), "no handler given after --");
}

TEST(ConfigTest, ReadsTheContractsVariables) {
  auto config = read({{"PILOTLIGHT_RUNTIME", "exec"},
                      {"PILOTLIGHT_CONCURRENCY", "7"},
                      {"PILOTLIGHT_TIMEOUT_MS", "1500"},
                      {"PILOTLIGHT_LISTEN", "127.1.2.3:80"},
                      {"PILOTLIGHT_GATEWAYS", "127.0.0.1:1,127.0.0.2:2"},
                      {"PILOTLIGHT_PARENT_PID", "12"}},
                     {"cat"});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->runtime, RuntimeKind::exec);
  EXPECT_EQ(config->concurrency, 7u);
  EXPECT_EQ(config->timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(config->listen.ip, "127.1.2.3");
  ASSERT_EQ(config->gateways.size(), 2u);
  EXPECT_EQ(config->gateways[1].port, 2);
  EXPECT_TRUE(config->local());
}

TEST(ConfigTest, WatchedFoldersAreBelowTheMountRoot) {
  auto config = read({{"PILOTLIGHT_WATCH", "/etc/db:/etc/app"}, {"PILOTLIGHT_MOUNT_ROOT", "/root"}}, {"x"});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->watched, (std::vector<std::string>{"/root/etc/db", "/root/etc/app"}));
  EXPECT_TRUE(read({}, {"x"})->watched.empty());
  EXPECT_TRUE(isPrivate("PILOTLIGHT_WATCH"));
}

TEST(ConfigTest, ErrorsNameTheVariableAndWhatIsAllowed) {
  EXPECT_EQ(read({{"PILOTLIGHT_CONCURRENCY", "0"}}, {"x"}).error(), "PILOTLIGHT_CONCURRENCY: \"0\" is not a number from 1 to 1000000");
  EXPECT_EQ(read({{"PILOTLIGHT_RUNTIME", "java"}}, {"x"}).error(), "PILOTLIGHT_RUNTIME: \"java\" is none of native, http, exec");
  EXPECT_TRUE(read({{"PILOTLIGHT_GATEWAYS", "gateway:80"}}, {"x"}).error().starts_with("PILOTLIGHT_GATEWAYS: "));
  EXPECT_EQ(read({}, {"--nonsense", "x"}).error(), "unknown flag --nonsense");
}

TEST(ConfigTest, ReadsEachSettingFromAVariableThatHandlersDontSee) {
  std::map<std::string, std::string> environment;
  std::int64_t value = 0;
  for (const api::Setting& row : settingsTable().rows) environment[api::variableOf(row)] = std::to_string(row.low + ++value);
  auto config = read(environment, {"x"});
  ASSERT_TRUE(config) << config.error();
  value = 0;
  for (const api::Setting& row : settingsTable().rows) {
    EXPECT_EQ(row.get(&config->settings), row.low + ++value) << row.name;
    EXPECT_TRUE(isPrivate(api::variableOf(row)));
  }
}

TEST(ConfigTest, SettingsHaveDefaultsWithinTheirBoundsAndErrorsWithTheirNames) {
  for (const api::Setting& row : settingsTable().rows) {
    EXPECT_GE(row.get(settingsTable().defaults()), row.low) << row.name;
    EXPECT_LE(row.get(settingsTable().defaults()), row.high) << row.name;
    EXPECT_TRUE(row.doc.ends_with(".")) << row.name;
    const std::string name = api::variableOf(row);
    for (const std::string& wrong : {std::to_string(row.low - 1), std::to_string(row.high + 1), std::string("1s")}) {
      auto config = read({{name, wrong}}, {"x"});
      ASSERT_FALSE(config) << name << " " << wrong;
      EXPECT_TRUE(config.error().starts_with(name + ": ")) << config.error();
    }
  }
}

TEST(ConfigTest, FlagsWinOverVariables) {
  auto config = read({{"PILOTLIGHT_RUNTIME", "exec"}}, {"--runtime", "native", "--listen", "127.0.0.9:1", "--", "-x"});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->runtime, RuntimeKind::native);
  EXPECT_EQ(config->listen.ip, "127.0.0.9");
  EXPECT_EQ(config->handler.front(), "-x");
}

TEST(ConfigTest, HandlersDontSeeWhatIsBetweenTheShimAndItsStarter) {
  char a[] = "PILOTLIGHT_GATEWAYS=1", b[] = "PILOTLIGHT_FUNCTION=f", c[] = "PILOTLIGHT_READY_FD=4", d[] = "HOME=/";
  char* environment[] = {a, b, c, d, nullptr};
  EXPECT_EQ(handlerEnvironment(environment), (std::vector<std::string>{"PILOTLIGHT_FUNCTION=f", "HOME=/"}));
}

}  // namespace
}  // namespace pilotlight::shim
