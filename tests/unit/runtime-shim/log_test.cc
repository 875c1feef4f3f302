#include "runtime-shim/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace pilotlight::shim {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  appendJsonEscaped(out, text);
  return out;
}

TEST(LogTest, EscapesWhatJsonDoesNotTake) {
  EXPECT_EQ(escaped("a\"b\\c\nd\x01"), "a\\\"b\\\\c\\nd\\u0001");
  EXPECT_EQ(escaped("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
}

TEST(LogTest, ReplacesBytesThatAreNotUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(escaped("\xC0\xAF"), bad + bad);            // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), bad + bad + bad);  // surrogate
  EXPECT_EQ(escaped("\xE2\x82"), bad + bad);            // cut off
}

TEST(LogTest, WritesTimestampsInUtcWithMilliseconds) {
  EXPECT_EQ(formatTimestamp(std::chrono::system_clock::time_point(std::chrono::milliseconds(1'709'210'096'007))),
            "2024-02-29T12:34:56.007Z");
}

TEST(LogTest, OneLineCarriesTheFunctionAndTheFields) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Log(ends[1], "f", "ns", "", "p-1").warn("it is late", {{"request_id", "r\"1"}, {"count", 3}});
  close(ends[1]);
  char text[512];
  std::string line(text, static_cast<std::size_t>(read(ends[0], text, sizeof text)));
  close(ends[0]);
  EXPECT_NE(line.find(R"("level":"warn","msg":"it is late","function":"f","namespace":"ns","pod":"p-1","request_id":"r\"1","count":3})"
                      "\n"),
            std::string::npos)
      << line;
}

}  // namespace
}  // namespace pilotlight::shim
