#include "core/place_book.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace pilotlight::core {
namespace {

using std::chrono::milliseconds;
const TimePoint t0{std::chrono::hours(1)};
constexpr Waiting kBound{10, 1000};

Claim claim(Waiting accepted, Waiting waits) {
  return {.accepted = accepted, .waits = waits};
}

TEST(PlaceBook, GivesAllGatewaysTogetherAsManyPlacesAsThereAre) {
  PlaceBook book;
  int a = 0, b = 0, c = 0;
  EXPECT_EQ(book.ask(&a, "a", claim({}, {6, 60}), kBound, t0), (Waiting{6, 60}));
  EXPECT_EQ(book.ask(&b, "b", claim({}, {6, 60}), kBound, t0), (Waiting{4, 60}));
  EXPECT_EQ(book.ask(&c, "c", claim({}, {1, 10}), kBound, t0), (Waiting{0, 10}));
  EXPECT_EQ(book.ask(&a, "a", claim({5, 50}, {5, 50}), kBound, t0), (Waiting{5, 50}));
  EXPECT_EQ(book.ask(&c, "c", claim({}, {2, 20}), kBound, t0), (Waiting{1, 20}));
  book.leave(&b);
  EXPECT_EQ(book.ask(&c, "c", claim({1, 10}, {9, 90}), kBound, t0), (Waiting{5, 90}));
}

TEST(PlaceBook, BoundsTheirBytesAsWell) {
  PlaceBook book;
  int a = 0, b = 0;
  EXPECT_EQ(book.ask(&a, "a", claim({}, {2, 900}), kBound, t0), (Waiting{2, 900}));
  EXPECT_EQ(book.ask(&b, "b", claim({}, {2, 200}), kBound, t0), (Waiting{2, 100}));
}

TEST(PlaceBook, TakesNothingAwayThatWasAccepted) {
  PlaceBook book;
  int a = 0, b = 0;
  EXPECT_EQ(book.ask(&a, "a", claim({12, 1200}, {14, 1400}), kBound, t0), (Waiting{12, 1200}));
  EXPECT_EQ(book.ask(&b, "b", claim({3, 30}, {4, 40}), kBound, t0), (Waiting{3, 30}));
}

TEST(PlaceBook, HearsWhatOthersHaveAcceptedBeforeItGivesAnythingOut) {
  PlaceBook book;
  int a = 0, b = 0;
  book.begin({"b", "c"}, t0 + milliseconds(100));
  EXPECT_EQ(book.ask(&a, "a", claim({}, {9, 90}), kBound, t0), std::nullopt);
  EXPECT_EQ(book.ask(&b, "b", claim({8, 80}, {9, 90}), kBound, t0), std::nullopt) << "c has not told yet";
  EXPECT_EQ(book.ask(&a, "a", claim({}, {9, 90}), kBound, t0 + milliseconds(100)), (Waiting{2, 90})) << "it had its time";
}

/// Three gateways that lose and find things at random: never more is accepted than the bound.
TEST(PlaceBook, IsNeverOverdrawn) {
  std::mt19937 random(1);
  PlaceBook book;
  std::vector<Claim> gateways(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t at = random() % 3;
    Claim& one = gateways[at];
    for (std::uint64_t left = random() % 3; left > 0 && one.accepted.requests > 0; --left) one.accepted = one.accepted - Waiting{1, 10};
    one.waits = one.accepted;
    for (std::uint64_t more = random() % 4; more > 0; --more) one.waits = one.waits + Waiting{1, 10};
    const auto places = book.ask(&one, "g", one, kBound, t0);
    ASSERT_TRUE(places);
    one.accepted = *places;
    Waiting sum;
    for (const Claim& each : gateways) sum = sum + each.accepted;
    ASSERT_TRUE(sum.fitsInto(kBound));
    ASSERT_EQ(book.taken(), sum);
    ASSERT_TRUE(one.accepted == one.waits || sum.requests == kBound.requests) << "a place was not given";
  }
}

}  // namespace
}  // namespace pilotlight::core
