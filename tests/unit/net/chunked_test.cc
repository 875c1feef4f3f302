#include <gtest/gtest.h>

#include "net/http1.h"

namespace pilotlight::net {
namespace {

/// Feeds `input` in parts of `step` bytes; returns the payload, or nullopt when refused. `rest` is what was not consumed.
std::optional<std::string> decode(std::string_view input, std::size_t step, std::string* rest = nullptr) {
  ChunkedDecoder decoder;
  std::string out;
  std::size_t at = 0;
  while (at < input.size()) {
    std::string_view part = input.substr(at, step);
    while (!part.empty()) {
      const auto result = decoder.feed(part);
      out += result.data;
      at += result.consumed;
      part.remove_prefix(result.consumed);
      if (result.state == Parse::bad) return std::nullopt;
      if (result.state == Parse::done) {
        if (rest) *rest = input.substr(at);
        return out;
      }
    }
  }
  return std::nullopt;
}

TEST(Chunked, DecodesHoweverItIsCut) {
  const std::string input = "5\r\nhello\r\n1;ext=\"x\"\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET /";
  for (std::size_t step = 1; step <= input.size(); ++step) {
    std::string rest;
    EXPECT_EQ(decode(input, step, &rest), "hello 0123456789") << step;
    EXPECT_EQ(rest, "GET /") << step;
  }
}

TEST(Chunked, RefusesWhatIsNotExact) {
  for (const std::string& input :
       {std::string("5\nhello\r\n0\r\n\r\n"), std::string("5\r\nhelloX\r\n0\r\n\r\n"), std::string("\r\n0\r\n\r\n"), std::string("x\r\n"),
        std::string("0x5\r\nhello\r\n0\r\n\r\n"), std::string("-1\r\n"), std::string(" 5\r\nhello\r\n"), std::string("5 \r\nhello\r\n"),
        std::string("fffffffffffffffff\r\n"), std::string("5\r\nhello\r\n0\r\n\rX"), std::string("1;a\nb\r\nx\r\n0\r\n\r\n"),
        std::string("1;\0\r\nx\r\n0\r\n\r\n", 13)})
    EXPECT_EQ(decode(input, 3), std::nullopt) << input;
}

TEST(Chunked, BoundsExtensionsAndTrailers) {
  EXPECT_EQ(decode("1;" + std::string(20000, 'a') + "\r\nx\r\n0\r\n\r\n", 1000), std::nullopt);
  EXPECT_EQ(decode("0\r\n" + std::string(20000, 'a') + ": x\r\n\r\n", 1000), std::nullopt);
}

}  // namespace
}  // namespace pilotlight::net
