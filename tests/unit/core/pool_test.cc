#include "core/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace pilotlight::core {
namespace {

TEST(SharedLimit, IsWhatReservationsLeaveButNeverLessThanATenth) {
  struct Case {
    std::int64_t pool, reserved, shared;
  };
  const Case cases[]{{10'000, 0, 10'000},
                     {10'000, 2'500, 7'500},
                     {10'000, 9'000, 1'000},
                     {10'000, 9'500, 1'000},
                     {10'000, 50'000, 1'000},
                     {4, 3, 1},
                     {4, 4, 1},
                     {1, 1, 1},
                     {0, 0, SharedSlots::kNoLimit},
                     {0, 7, SharedSlots::kNoLimit},
                     {-1, 0, SharedSlots::kNoLimit}};
  for (const Case& each : cases) EXPECT_EQ(sharedLimit(each.pool, each.reserved), each.shared) << each.pool << " " << each.reserved;
}

TEST(SharedSlots, AreNeverMoreThanTheLimit) {
  SharedSlots slots;
  slots.setLimit(2);
  EXPECT_TRUE(slots.tryTake());
  EXPECT_TRUE(slots.tryTake());
  EXPECT_FALSE(slots.tryTake());
  EXPECT_FALSE(slots.takeForLine());
  EXPECT_FALSE(slots.release());
  EXPECT_TRUE(slots.tryTake());
}

TEST(SharedSlots, GoToThoseWhoWaitAndNotToNewcomers) {
  SharedSlots slots;
  slots.setLimit(1);
  ASSERT_TRUE(slots.tryTake());
  slots.announce();
  EXPECT_TRUE(slots.release()) << "who gives a slot back has to know that somebody waits";
  EXPECT_FALSE(slots.tryTake()) << "a newcomer overtook";
  EXPECT_TRUE(slots.takeForLine());
  EXPECT_TRUE(slots.release());
  slots.retract();
  EXPECT_TRUE(slots.tryTake());
  EXPECT_FALSE(slots.release());
}

TEST(SharedSlots, GiveNothingUntilEnoughCameBackAfterTheLimitFell) {
  SharedSlots slots;
  slots.setLimit(3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(slots.tryTake());
  slots.setLimit(1);
  EXPECT_FALSE(slots.release());
  EXPECT_FALSE(slots.release());
  EXPECT_FALSE(slots.tryTake());
  EXPECT_FALSE(slots.release());
  EXPECT_TRUE(slots.tryTake());
  slots.charge(4);
  EXPECT_EQ(slots.taken(), 5);
  EXPECT_FALSE(slots.takeForLine());
}

TEST(FairLine, ServesWhoHoldsLeastAndLetsEqualsTakeTurns) {
  FairLine line;
  Share flooding, a, b;
  line.join(flooding, 4);
  line.join(a, 0);
  line.join(b, 0);
  EXPECT_EQ(line.first(), &a);
  line.granted(a);
  EXPECT_EQ(line.first(), &b);
  line.granted(b);
  EXPECT_EQ(line.first(), &a) << "both hold one: the one whose turn is longer ago";
  line.leave(a);
  line.join(b, 5);
  EXPECT_EQ(line.first(), &flooding);
  line.join(flooding, 6);
  EXPECT_EQ(line.first(), &b);
  line.join(flooding, 5);
  EXPECT_EQ(line.first(), &flooding) << "to hold fewer again does not cost a turn";
  line.leave(b);
  line.leave(b);
  line.leave(flooding);
  EXPECT_EQ(line.first(), nullptr);
}

TEST(FairLine, LetsAFunctionThatHoldsNothingWaitForOneRoundAtMost) {
  FairLine line;
  std::vector<Share> others(20);
  for (Share& other : others) line.join(other, 0);
  Share quiet;
  line.join(quiet, 0);
  int served = 0;
  // Each of the others is done at once, and is back in the line with its next request.
  while (line.first() != &quiet) {
    Share& other = *line.first();
    line.leave(other);
    line.join(other, 0);
    ASSERT_LE(++served, 20);
  }
}

/// Functions that always have more requests waiting, each request taking `ticks` of its function.
struct Backlogged {
  Share share;
  int ticks = 1;
  std::vector<int> ends;  // of what it holds
};

void serve(SharedSlots& slots, FairLine& line, std::vector<Backlogged>& functions, int now) {
  while (line.first() && slots.takeForLine()) {
    const auto first = std::ranges::find_if(functions, [&](const Backlogged& f) { return &f.share == line.first(); });
    for (const Backlogged& other : functions) ASSERT_LE(first->ends.size(), other.ends.size()) << "one that waits held fewer";
    first->ends.push_back(now + first->ticks);
    line.granted(first->share);
  }
}

TEST(FairLine, SharesSlotsEquallyHoweverLongRequestsRun) {
  SharedSlots slots;
  slots.setLimit(12);
  FairLine line;
  std::vector<Backlogged> functions(5);
  for (std::size_t i = 0; i < functions.size(); ++i) functions[i].ticks = 1 + 30 * static_cast<int>(i);
  Backlogged& flooding = functions.back();
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(slots.tryTake());
    flooding.ends.push_back(10 * i + 1);
  }
  slots.announce();
  for (Backlogged& each : functions) line.join(each.share, static_cast<int>(each.ends.size()));
  std::vector<int> slotTicks(functions.size());
  for (int now = 1; now <= 3000; ++now) {
    for (Backlogged& each : functions) {
      const auto done = static_cast<std::int64_t>(std::erase(each.ends, now));
      EXPECT_TRUE(slots.release(done));
      line.join(each.share, static_cast<int>(each.ends.size()));
    }
    serve(slots, line, functions, now);
    ASSERT_EQ(slots.taken(), 12);
    if (now <= 120) continue;  // by then, the flood's first requests have ended
    for (std::size_t i = 0; i < functions.size(); ++i) {
      ASSERT_GE(functions[i].ends.size(), 2U) << "function " << i << " at " << now;
      ASSERT_LE(functions[i].ends.size(), 3U) << "function " << i << " at " << now;
      slotTicks[i] += static_cast<int>(functions[i].ends.size());
    }
  }
}

}  // namespace
}  // namespace pilotlight::core
