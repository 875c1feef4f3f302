// The table of settings, and that what it sets is what the gateway does.
#include "gateway/settings.h"

#include <set>

#include "api/settings_file.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

class SettingsTest : public GatewayTest {
 protected:
  void set(std::string_view yaml) {
    const api::SettingsTarget targets[] = {{settings(), &options_}};
    const auto read = api::readSettings(yaml, targets);
    ASSERT_TRUE(read) << read.error();
  }
};

TEST(SettingsTable, HasRowsWithNamesOfTheirOwnAndDefaultsWithinTheirBounds) {
  std::set<std::string_view> names;
  for (const api::Setting& row : settings().rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.doc.ends_with(".")) << row.name << " needs a sentence";
    const std::int64_t value = row.get(settings().defaults());
    if (value == api::kNotSet) continue;
    EXPECT_GE(value, row.low) << row.name;
    EXPECT_LE(value, row.high) << row.name;
  }
}

TEST(SettingsTable, SetsAFieldOfItsOwnWithEachRow) {
  GatewayOptions options;
  std::int64_t next = 0;
  for (const api::Setting& row : settings().rows) row.set(&options, row.kind == api::SettingKind::flag ? 0 : row.low + ++next);
  next = 0;
  for (const api::Setting& row : settings().rows)
    EXPECT_EQ(row.get(&options), row.kind == api::SettingKind::flag ? 0 : row.low + ++next) << row.name << " or another has its field";
}

TEST_F(SettingsTest, HeadTimeoutEndsASlowHead) {
  set("gateway: {headTimeout: 200ms}");
  start();
  RawClient client(gateway_->address());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n");
  EXPECT_EQ(parse(client.readAll(seconds(5))).status, 408);
}

TEST_F(SettingsTest, HeadBytesBoundsAHead) {
  set("gateway: {headBytes: 1Ki}");
  start();
  EXPECT_EQ(call(gateway_->address(), "/", "GET", "X-Long: " + std::string(1024, 'x') + "\r\n").status, 431);
  EXPECT_EQ(call(gateway_->address(), "/", "GET", "X-Long: " + std::string(512, 'x') + "\r\n").status, 404);
}

TEST_F(SettingsTest, PoolAndRetryAfterAreWhatARefusedRequestMeets) {
  set("gateway: {pool: 1, retryAfter: 7s}");
  auto f = route();
  f.spec.queue.requests = 0;
  apply(f);
  deployment();
  start();
  EXPECT_NE(gateway_->metrics().find("pilotlight_gateway_pool_size 1\n"), std::string::npos) << gateway_->metrics();
  const Response refused = call(gateway_->address(), "/f");
  EXPECT_EQ(refused.status, 429) << refused.body;
  EXPECT_EQ(refused.header("Retry-After"), "7");
}

}  // namespace
}  // namespace pilotlight::gateway::test
