// The table of settings, and that what it sets is what the operator does.
#include "operator/settings.h"

#include <set>

#include "api/settings_file.h"
#include "operator/operator.h"

namespace pilotlight::op {
namespace {

TEST(OperatorSettings, HaveRowsWithNamesOfTheirOwnAndDefaultsWithinTheirBounds) {
  std::set<std::string_view> names;
  for (const api::Setting& row : settings().rows) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.doc.ends_with(".")) << row.name << " needs a sentence";
    const std::int64_t value = row.get(settings().defaults());
    EXPECT_GE(value, row.low) << row.name;
    EXPECT_LE(value, row.high) << row.name;
  }
}

TEST(OperatorSettings, SetAFieldOfTheirOwnWithEachRow) {
  OperatorOptions options;
  std::int64_t next = 0;
  for (const api::Setting& row : settings().rows) row.set(&options, row.low + ++next);
  next = 0;
  for (const api::Setting& row : settings().rows) EXPECT_EQ(row.get(&options), row.low + ++next) << row.name << " or another has its field";
}

TEST(OperatorSettings, AreRefusedByNameWhenTheyAreWrong) {
  OperatorOptions options;
  const api::SettingsTarget targets[] = {{settings(), &options}};
  const auto read = api::readSettings("operator: {parkingTicks: -1, shimTimeout: 1ms, parkedLook: 8s}", targets);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().find("operator.parkingTicks: must be from 0 to 10000"), std::string::npos) << read.error();
  EXPECT_NE(read.error().find("operator.shimTimeout: must be from 10ms to 1m"), std::string::npos) << read.error();
}

}  // namespace
}  // namespace pilotlight::op
