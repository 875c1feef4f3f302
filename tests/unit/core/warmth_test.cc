#include "core/warmth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pilotlight::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr bool kParked = true, kLit = false;

WarmthPod pod(const char* name, bool parked, bool ready = true) {
  return {.name = name, .created = {}, .parked = parked, .ready = ready};
}

TEST(WithParked, AreBesideTheLitOnesOfTheHeaviestVersionUpToTheMaximum) {
  EXPECT_THAT(withParked({0}, {100}, 2, 20), ElementsAre(2));
  EXPECT_THAT(withParked({3}, {100}, 2, 20), ElementsAre(5));
  EXPECT_THAT(withParked({3}, {100}, 2, 4), ElementsAre(4));
  EXPECT_THAT(withParked({4}, {100}, 2, 4), ElementsAre(4));
  EXPECT_THAT(withParked({1, 4}, {10, 90}, 2, 20), ElementsAre(1, 6));
  EXPECT_THAT(withParked({}, {}, 2, 20), IsEmpty());
}

TEST(PlanWarmth, IsDoneWhenTheWantedAreLitAndTheRestIsParked) {
  const auto plan = planWarmth({pod("a", kLit), pod("b", kParked)}, 1, 1);
  EXPECT_THAT(plan.light, IsEmpty());
  EXPECT_THAT(plan.park, IsEmpty());
}

TEST(PlanWarmth, ParksWhatIsNoLongerNeededAsFarAsThereIsNeed) {
  const auto one = planWarmth({pod("b", kLit), pod("a", kLit)}, 0, 1);
  EXPECT_THAT(one.park, ElementsAre("b", "a")) << "any of them that is idle";
  EXPECT_EQ(one.parkCount, 1);
  const WarmthPod old{.name = "b", .created = "2026-01-01T00:00:00Z", .parked = false, .ready = true};
  const WarmthPod young{.name = "a", .created = "2026-01-01T00:00:01Z", .parked = false, .ready = true};
  EXPECT_THAT(planWarmth({old, young}, 1, 1).park, ElementsAre("a", "b")) << "the youngest first";
  EXPECT_EQ(planWarmth({pod("a", kLit), pod("b", kLit), pod("c", kParked)}, 0, 1).parkCount, 0) << "they are deleted";
  EXPECT_EQ(planWarmth({pod("a", kLit), pod("b", kLit)}, 2, 1).parkCount, 0) << "they are needed";
  EXPECT_EQ(planWarmth({pod("a", kLit), pod("b", kLit)}, 1, 5).parkCount, 1);
}

TEST(PlanWarmth, DoesNotParkOneThatStillStarts) {
  const auto plan = planWarmth({pod("a", kLit, false), pod("b", kLit)}, 0, 2);
  EXPECT_THAT(plan.park, ElementsAre("b"));
}

TEST(PlanWarmth, LightsParkedOnesThatAreWantedLit) {
  EXPECT_THAT(planWarmth({pod("c", kParked), pod("b", kParked), pod("a", kLit)}, 2, 1).light, ElementsAre("b"));
  EXPECT_THAT(planWarmth({pod("a", kLit, false), pod("b", kParked)}, 1, 1).light, IsEmpty()) << "one is on its way";
}

TEST(DeletionCosts, ParkedOnesStayBeforeLitOnesAndThoseTooManyGoFirst) {
  EXPECT_THAT(deletionCosts({pod("a", kLit), pod("c", kParked), pod("b", kParked)}, 1), ElementsAre(0, -100, 100));
  EXPECT_THAT(deletionCosts({pod("a", kLit)}, 1), ElementsAre(0));
}

}  // namespace
}  // namespace pilotlight::core
