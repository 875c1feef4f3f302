#include "core/cold_start.h"

#include <gtest/gtest.h>

namespace pilotlight::core {
namespace {

using std::chrono::milliseconds;
using Phase = ColdStartPhase;

const ColdStartTime kHeld{std::chrono::hours(1)};

ColdStartEnds ends(std::initializer_list<std::pair<Phase, int>> at) {
  ColdStartEnds ends;
  for (const auto& [phase, ms] : at) ends[phase] = kHeld + milliseconds(ms);
  return ends;
}

/// In milliseconds; -1: not known.
std::vector<int> durations(const ColdStartEnds& of) {
  std::vector<int> out;
  for (const auto& duration : coldStartDurations(kHeld, of)) out.push_back(duration ? static_cast<int>(duration->count() / 1'000'000) : -1);
  return out;
}

TEST(ColdStart, EachPhaseBeginsWhereTheOneBeforeEnds) {
  EXPECT_EQ(durations(ends({{Phase::patched, 3},
                            {Phase::podCreated, 10},
                            {Phase::scheduled, 12},
                            {Phase::sandbox, 150},
                            {Phase::container, 250},
                            {Phase::listening, 255},
                            {Phase::registered, 256},
                            {Phase::firstByte, 258}})),
            (std::vector<int>{3, 7, 2, 138, 100, 5, 1, 2}));
}

TEST(ColdStart, TheTimeOfAPhaseThatIsNotKnownIsInTheNextOne) {
  EXPECT_EQ(durations(ends({{Phase::patched, 3}, {Phase::container, 250}, {Phase::firstByte, 258}})),
            (std::vector<int>{3, -1, -1, -1, 247, -1, -1, 8}));
}

TEST(ColdStart, WhatWasOverBeforeTheRequestCameIsNoPartOfIt) {
  EXPECT_EQ(durations(ends({{Phase::patched, -20}, {Phase::podCreated, -5}, {Phase::scheduled, 5}, {Phase::firstByte, 9}})),
            (std::vector<int>{-1, -1, 5, -1, -1, -1, -1, 4}));
}

TEST(ColdStart, AWatchThatTellsLateMakesNoPhaseNegative) {
  EXPECT_EQ(durations(ends({{Phase::podCreated, 300}, {Phase::scheduled, 310}, {Phase::container, 250}, {Phase::firstByte, 280}})),
            (std::vector<int>{-1, 250, 0, -1, 0, -1, -1, 30}))
      << "what must have come before the process is no later than it";
}

TEST(ColdStart, TogetherTheyAreTheTimeUntilTheFirstByteWhateverIsTold) {
  for (int seed = 0; seed < 500; ++seed) {
    ColdStartEnds some;
    for (std::size_t i = 0; i + 1 < some.at.size(); ++i)
      if (const int ms = (seed * 7919 + static_cast<int>(i) * 104729) % 700 - 100; ms % 3 != 0) some.at[i] = kHeld + milliseconds(ms);
    some[Phase::firstByte] = kHeld + milliseconds(400);
    std::chrono::nanoseconds sum{};
    for (const auto& duration : coldStartDurations(kHeld, some)) {
      EXPECT_GE(duration.value_or(milliseconds(0)), milliseconds(0));
      sum += duration.value_or(milliseconds(0));
    }
    EXPECT_EQ(sum, milliseconds(400)) << seed;
  }
}

}  // namespace
}  // namespace pilotlight::core
