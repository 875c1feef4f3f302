#include "kube/time.h"

#include <gtest/gtest.h>

namespace pilotlight::kube {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(Timestamps, AreReadAsWritten) {
  const SystemTime time(seconds(1'769'860'800) + microseconds(42));
  EXPECT_EQ(timestamp(time), "2026-01-31T12:00:00Z");
  EXPECT_EQ(microTimestamp(time), "2026-01-31T12:00:00.000042Z");
  EXPECT_EQ(parseTimestamp(microTimestamp(time)), time);
  EXPECT_EQ(parseTimestamp("2026-01-31T12:00:00Z"), SystemTime(seconds(1'769'860'800)));
}

TEST(Timestamps, MayHaveAnyFractionAndOffset) {
  const SystemTime noon(seconds(1'769'860'800));
  EXPECT_EQ(parseTimestamp("2026-01-31T13:30:00+01:30"), noon);
  EXPECT_EQ(parseTimestamp("2026-01-31T10:00:00.5-02:00"), noon + microseconds(500'000));
  EXPECT_EQ(parseTimestamp("2026-01-31T12:00:00.123456789Z"), noon + microseconds(123'456));
  EXPECT_EQ(parseTimestamp("1969-12-31T23:59:59Z"), SystemTime(seconds(-1)));
}

TEST(Timestamps, RefuseWhatIsNone) {
  for (const char* text :
       {"", "now", "2026-01-31", "2026-13-31T12:00:00Z", "2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00Zx", "2026-01-31 12:00:00Z", "2026-01-31T12:00:00+1:00"}) {
    EXPECT_EQ(parseTimestamp(text), std::nullopt) << text;
  }
}

}  // namespace pilotlight::kube
