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

TEST(Chunked, BoundsExtensionsAndTrailers) {
  EXPECT_EQ(decode("1;" + std::string(20000, 'a') + "\r\nx\r\n0\r\n\r\n", 1000), std::nullopt);
  EXPECT_EQ(decode("0\r\nX: " + std::string(9000, 'a') + "\r\n\r\n", 1000), std::nullopt);
  const auto trailers = [](int count) {
    std::string text = "0\r\n";
    for (int i = 0; i < count; ++i) text += "X: y\r\n";
    return text + "\r\n";
  };
  EXPECT_EQ(decode(trailers(64), 1000), "");
  EXPECT_EQ(decode(trailers(65), 1000), std::nullopt);
}

/// The trailers of a body, read `step` bytes at a time.
std::string trailersOf(ChunkedDecoder& decoder, std::string_view input, std::size_t step) {
  Parse state = Parse::more;
  while (state == Parse::more && !input.empty()) {
    const auto fed = decoder.feed(input.substr(0, step));
    input.remove_prefix(fed.consumed);
    state = fed.state;
  }
  EXPECT_EQ(state, Parse::done);
  return std::string(decoder.trailerText());
}

TEST(Trailers, AreKeptHoweverTheyAreCut) {
  const std::string input = "3\r\nabc\r\n0\r\nX-Checksum:  1 \r\nGrpc-Status: 0\r\n\r\n";
  for (std::size_t step = 1; step <= input.size(); ++step) {
    ChunkedDecoder decoder;
    const std::string text = trailersOf(decoder, input, step);
    Headers trailers;
    ASSERT_TRUE(parseTrailers(text, trailers)) << text;
    ASSERT_EQ(trailers.size(), 2u);
    EXPECT_EQ(trailers.get("x-checksum"), "1");
    EXPECT_EQ(trailers.get("grpc-status"), "0");
  }
}

TEST(Trailers, AreGoneWithTheNextBody) {
  ChunkedDecoder decoder;
  EXPECT_EQ(trailersOf(decoder, "0\r\nX: " + std::string(5000, 'y') + "\r\n\r\n", 99).size(), 5005u);
  decoder.reset();
  EXPECT_EQ(trailersOf(decoder, "1\r\na\r\n0\r\n\r\n", 99), "");
}

TEST(Trailers, LeaveOutWhatMustBeKnownBeforeTheBody) {
  Headers trailers;
  ASSERT_TRUE(
      parseTrailers("content-LENGTH: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nX-Forwarded-For: 1.2.3.4\r\n"
                    "Authorization: x\r\nConnection: close\r\nTrailer: x\r\nCookie: x\r\nTE: x\r\nIf-Match: x\r\n"
                    "X: y\r\nGrpc-Message: z\r\n",
                    trailers));
  ASSERT_EQ(trailers.size(), 2u);
  EXPECT_EQ(trailers.begin()[0].name, "X");
  EXPECT_EQ(trailers.begin()[1].name, "Grpc-Message");
}

TEST(Trailers, AreRefusedWhenMalformed) {
  Headers trailers;
  EXPECT_TRUE(parseTrailers("", trailers));
  for (const char* text : {"X", "X: y", "X: y\r", "X: y\n", "X : y\r\n", " X: y\r\n", "\r\n", "X: y\r\n\r\n", "X: a\rb\r\n", ": y\r\n"})
    EXPECT_FALSE(parseTrailers(text, trailers)) << text;
}

}  // namespace
}  // namespace pilotlight::net
