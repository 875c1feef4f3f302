// What measures must itself be right.
#include <gtest/gtest.h>

#include <array>

#include "tests/bench/load/backend.h"
#include "tests/bench/load/histogram.h"
#include "tests/bench/load/options.h"

namespace pilotlight::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(Histogram, QuantilesAreWithinOnePercentAtEveryMagnitude) {
  for (const std::int64_t unit : {1, 1'000, 1'000'000, 1'000'000'000}) {
    Histogram histogram;
    for (std::int64_t i = 1; i <= 1000; ++i) histogram.record(nanoseconds(i * unit));
    const double micros = static_cast<double>(unit) / 1000;
    EXPECT_NEAR(histogram.micros(0.5), 500 * micros, 6 * micros) << unit;
    EXPECT_NEAR(histogram.micros(0.99), 990 * micros, 11 * micros) << unit;
    EXPECT_EQ(histogram.maxMicros(), 1000 * micros) << unit;
    EXPECT_EQ(histogram.count(), 1000U);
  }
}

TEST(Histogram, TakesTheLongestDurationThereIs) {
  Histogram histogram;
  histogram.record(nanoseconds::max());
  EXPECT_EQ(histogram.micros(0.5), histogram.maxMicros());
}

struct Answer {
  const char* what;
  const char* text;
  int status;
  bool closes;
};
constexpr std::array kAnswers{
    Answer{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, false},
    Answer{"an empty body", "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nConnection: close\r\n\r\n", 429, true},
    Answer{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, false},
    Answer{"chunks and trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
           200, false},
    Answer{"an interim answer before", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", 201, false},
};

TEST(MessageReader, FindsTheEndOfAnAnswerHoweverItArrives) {
  for (const Answer& answer : kAnswers) {
    const std::string_view text = answer.text;
    for (std::size_t part = 1; part <= text.size(); ++part) {
      MessageReader reader(true);
      for (std::size_t at = 0; at < text.size(); at += part) {
        EXPECT_FALSE(reader.complete()) << answer.what << " in parts of " << part;
        const std::string_view bytes = text.substr(at, part);
        EXPECT_EQ(reader.take(bytes), bytes.size()) << answer.what;
      }
      EXPECT_TRUE(reader.complete()) << answer.what << " in parts of " << part;
      EXPECT_EQ(reader.status(), answer.status) << answer.what;
      EXPECT_EQ(reader.closes(), answer.closes) << answer.what;
    }
  }
}

TEST(MessageReader, LeavesWhatComesAfterTheMessage) {
  MessageReader reader(false);
  EXPECT_EQ(reader.take("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b"), 28U);
  EXPECT_EQ(reader.startLine(), "GET /a HTTP/1.1");
}

class LoadTest : public testing::Test {
 protected:
  LoadTest() : backend_(poller_) {
    const auto free = net::listenTcp({"127.0.0.1", 0});
    address_ = net::localAddress(free->get());
  }

  /// Runs until the stream is through or `longest` has passed.
  Tally run(StreamOptions options, milliseconds window, milliseconds longest, int limit = 0) {
    EXPECT_TRUE(backend_.listen({address_, limit}));
    options.to = address_;
    Stream stream(poller_, options);
    const TimePoint start = Clock::now();
    stream.start({start, start + window}, start);
    turn(start + window, stream);
    stream.stop(Clock::now());
    turn(start + longest, stream);
    stream.giveUp();
    return stream.tally();
  }
  std::uint64_t overLimit() const { return backend_.overLimit(); }

 private:
  void turn(TimePoint until, Stream& stream) {
    for (TimePoint now = Clock::now(); now < until && !stream.finished(); now = Clock::now()) {
      backend_.onTime(now);
      stream.onTime(now);
      poller_.wait(std::min({until, backend_.nextDue(), stream.nextDue()}));
    }
  }

  Poller poller_;
  Backend backend_;
  net::Address address_;
};

TEST_F(LoadTest, OpenLoopChargesAServerWithTheRequestsThatItKeptWaiting) {
  StreamOptions options;
  options.path = "/100?delay=20";
  options.rate = 100;  // twice what one connection can carry
  const Tally tally = run(options, milliseconds(500), milliseconds(5000));
  EXPECT_EQ(tally.answered.count() + tally.lost, 50U);
  EXPECT_EQ(tally.lost, 0U);
  EXPECT_GE(tally.answered.maxMicros(), 500'000 - 20'000) << "the last waited for all before it, not only for its own 20 ms";
}

TEST_F(LoadTest, OpenLoopCountsWhatWasDueButNeverAnsweredAsLost) {
  StreamOptions options;
  options.path = "/100?delay=10000";
  options.rate = 100;
  const Tally tally = run(options, milliseconds(200), milliseconds(250));
  EXPECT_EQ(tally.answered.count(), 0U);
  EXPECT_EQ(tally.lost, 20U);
}

TEST_F(LoadTest, TheBackendNoticesMoreAtOnceThanItWasPromised) {
  StreamOptions options;
  options.path = "/100?delay=20";
  options.connections = 5;
  const Tally tally = run(options, milliseconds(100), milliseconds(5000), 3);
  EXPECT_GT(overLimit(), 0U);
  EXPECT_TRUE(tally.statuses.contains(500));
}

TEST_F(LoadTest, BodiesOfAMebibyteGoBothWays) {
  StreamOptions options;
  options.path = "/1m";
  options.upload = 1 << 20;
  options.limit = 10;
  const Tally tally = run(options, milliseconds(5000), milliseconds(6000));
  EXPECT_EQ(tally.answered.count(), 10U);
  EXPECT_EQ(tally.failures, 0U);
}

TEST_F(LoadTest, AConnectionPerRequestLeavesNoneOpen) {
  StreamOptions options;
  options.path = "/10k";
  options.fresh = true;
  options.limit = 20;
  const Tally tally = run(options, milliseconds(5000), milliseconds(6000));
  EXPECT_EQ(tally.statuses, (std::map<int, std::uint64_t>{{200, 20}}));
}

TEST(LoadOptions, ErrorsNameTheFlag) {
  std::string name = "--connections", value = "many";
  std::array arguments{name.data(), value.data()};
  const auto options = parseLoadOptions(arguments);
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error(), "--connections: not a number: many");
}

}  // namespace
}  // namespace pilotlight::bench
