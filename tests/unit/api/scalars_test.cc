#include <gtest/gtest.h>

#include "api/api.h"

namespace pilotlight::api {
namespace {

using std::chrono::milliseconds;

TEST(Durations, AreReadAsKubernetesWritesThem) {
  struct Case {
    const char* text;
    std::int64_t ms;
  };
  for (const Case& c :
       {Case{"30s", 30'000}, {"1m30s", 90'000}, {"250ms", 250}, {"1h", 3'600'000}, {"0s", 0}, {"1.5h", 5'400'000}, {"0.001s", 1}}) {
    auto duration = parseDuration(c.text);
    ASSERT_TRUE(duration) << c.text;
    EXPECT_EQ(duration->count(), c.ms) << c.text;
  }
}

TEST(Durations, RefuseWhatIsNoDuration) {
  for (const char* text : {"", "30", "s", "-1s", "1 s", "1d", "0.5ms", "1.s", ".5s", "1.2345s", "9223372036854775807h", "1s ", "+1s"}) {
    EXPECT_FALSE(parseDuration(text)) << text;
  }
  EXPECT_NE(parseDuration("30").error().find("such as"), std::string::npos) << "the error says what is allowed";
}

TEST(Durations, AreWrittenInTheLargestUnits) {
  EXPECT_EQ(formatDuration(milliseconds(0)), "0s");
  EXPECT_EQ(formatDuration(milliseconds(250)), "250ms");
  EXPECT_EQ(formatDuration(milliseconds(90'000)), "1m30s");
  EXPECT_EQ(formatDuration(milliseconds(3'600'000)), "1h");
  EXPECT_EQ(formatDuration(milliseconds(86'400'000)), "24h");
  EXPECT_EQ(formatDuration(milliseconds(1'001)), "1s1ms");
}

TEST(Durations, ComeBackFromTheirText) {
  for (std::int64_t ms : {1L, 999L, 1'000L, 61'001L, 3'599'999L, 86'400'000L, 90'061'001L}) {
    EXPECT_EQ(parseDuration(formatDuration(milliseconds(ms))), milliseconds(ms));
  }
}

TEST(Quantities, OfBytes) {
  struct Case {
    const char* text;
    std::int64_t value;
    const char* written;
  };
  for (const Case& c : {Case{"64Mi", 64LL << 20, "64Mi"},
                        {"1G", 1'000'000'000, "1G"},
                        {"512", 512, "512"},
                        {"0", 0, "0"},
                        {"1.5Gi", 3LL << 29, "1536Mi"},
                        {"1024", 1024, "1Ki"},
                        {"0.5", 1, "1"},
                        {"2Ti", 2LL << 40, "2Ti"},
                        {"1k", 1000, "1k"}}) {
    auto bytes = parseBytes(c.text);
    ASSERT_TRUE(bytes) << c.text;
    EXPECT_EQ(bytes->value, c.value) << c.text;
    EXPECT_EQ(formatBytes(*bytes), c.written);
  }
  for (const char* text : {"", "Mi", "-1", "64MB", "64 Mi", "1e3", "9223372036854775807Ti", "1.2345Gi", "100m"})
    EXPECT_FALSE(parseBytes(text)) << text;
}

TEST(Quantities, OfCpu) {
  EXPECT_EQ(parseCpu("500m")->value, 500);
  EXPECT_EQ(parseCpu("0.5")->value, 500);
  EXPECT_EQ(parseCpu("2")->value, 2000);
  EXPECT_EQ(formatCpu({500}), "500m");
  EXPECT_EQ(formatCpu({2000}), "2");
  for (const char* text : {"", "m", "0.5m", "-1", "2 ", "1k", "9223372036854775807"}) EXPECT_FALSE(parseCpu(text)) << text;
}

TEST(Times, AreRfc3339InUtc) {
  auto time = parseTime("2026-01-31T12:00:00Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(formatTime(*time), "2026-01-31T12:00:00Z");
  EXPECT_EQ(parseTime("2026-01-31T13:30:00+01:30"), time);
  EXPECT_EQ(formatTime(*parseTime("2026-01-31T12:00:00.123456789Z")), "2026-01-31T12:00:00Z");
  EXPECT_EQ(formatTime(std::chrono::system_clock::time_point{}), "1970-01-01T00:00:00Z");
}

TEST(Times, RefuseWhatIsNoTime) {
  for (const char* text : {"", "2026-01-31", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00.Z",
                           "2026-01-31T12:00:00+99:00", "9999-12-31T00:00:00Z", "0000-00-00T00:00:00Z", "2026-01-31T12:00:00Zx"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
}

}  // namespace
}  // namespace pilotlight::api
