#include "core/owner.h"

#include <gtest/gtest.h>

#include <map>

namespace pilotlight::core {
namespace {

using Names = std::vector<std::string>;

api::RouteOwner record(const std::string& gateway, const std::string& instance, std::int64_t epoch) {
  return {gateway, instance, epoch};
}

TEST(PreferredGateway, IsTheSameForAllWhateverTheirOrder) {
  EXPECT_EQ(*preferredGateway("shop/orders", {"a", "b", "c"}), *preferredGateway("shop/orders", {"c", "a", "b"}));
  EXPECT_EQ(preferredGateway("shop/orders", {}), nullptr);
}

TEST(PreferredGateway, MovesOnlyTheShareOfTheOneThatGoes) {
  std::map<std::string, int> share;
  for (int i = 0; i < 3000; ++i) {
    const std::string function = "shop/f" + std::to_string(i);
    const std::string before = *preferredGateway(function, {"gw-0", "gw-1", "gw-2"});
    const std::string after = *preferredGateway(function, {"gw-0", "gw-1"});
    ++share[before];
    if (before != "gw-2") EXPECT_EQ(after, before);
  }
  for (const auto& [name, count] : share) EXPECT_NEAR(count, 1000, 150) << name;
}

struct ChoiceCase {
  const char* name;
  std::optional<api::RouteOwner> known;
  Names gateways;
  std::string gateway;  // "": anyone of those that can be asked
  bool gone;
};

void PrintTo(const ChoiceCase& row, std::ostream* out) {
  *out << row.name;
}

class OwnerChoices : public testing::TestWithParam<ChoiceCase> {};

INSTANTIATE_TEST_SUITE_P(Owner, OwnerChoices,
                         testing::Values(ChoiceCase{"Nobody", std::nullopt, {"a", "me"}, "", true},
                                         ChoiceCase{"Another", record("a", "x", 7), {"a", "me"}, "a", false},
                                         ChoiceCase{"AnotherThatCannotBeAsked", record("b", "x", 7), {"a", "me"}, "", true},
                                         ChoiceCase{"Myself", record("me", "1", 7), {"a", "me"}, "me", false},
                                         ChoiceCase{"MyselfInAnEarlierLife", record("me", "0", 7), {"a", "me"}, "", true},
                                         ChoiceCase{"NobodyCanBeAsked", record("a", "x", 7), {}, "me", true}),
                         [](const auto& info) { return info.param.name; });

TEST_P(OwnerChoices, GoToWhoCanBeAsked) {
  const ChoiceCase& row = GetParam();
  const OwnerChoice choice = chooseOwner("shop/orders", row.known, "me", "1", row.gateways);
  EXPECT_EQ(choice.gone, row.gone);
  EXPECT_EQ(choice.epoch, row.known ? row.known->epoch : 0);
  EXPECT_EQ(choice.gateway, row.gateway.empty() ? *preferredGateway("shop/orders", row.gateways) : row.gateway);
}

TEST(TakesOver, WhoIsAskedUnlessItKnowsOfALaterOwner) {
  EXPECT_TRUE(takesOver(std::nullopt, "me", 0));
  EXPECT_TRUE(takesOver(record("a", "x", 7), "me", 7));
  EXPECT_TRUE(takesOver(record("a", "x", 7), "me", 8));
  EXPECT_TRUE(takesOver(record("me", "0", 7), "me", 5));
  EXPECT_FALSE(takesOver(record("a", "x", 7), "me", 6));
}

}  // namespace
}  // namespace pilotlight::core
