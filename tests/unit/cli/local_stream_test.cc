#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "cli/line_splitter.h"
#include "cli/local/log_stream.h"
#include "cli/local/stream_pump.h"

namespace pilotlight::local {
namespace {

constexpr std::chrono::seconds kSoon{10};
const kube::Key kHello{"default", "hello"};

std::string all(LogStream& stream) {
  std::string text;
  while (auto part = stream.next(kSoon)) text += *part;
  return text;
}

TEST(LogStreamText, EndsUnlessFollowed) {
  LogStore store;
  store.append(kHello, "pod-1", false, "one");
  store.append(kHello, "pod-2", true, "two");
  store.append({"default", "other"}, "pod-3", false, "three");
  LogStream stream(store, {.function = kHello, .pod = "", .tailLines = {}});
  EXPECT_EQ(all(stream), "one\ntwo\n");
}

TEST(LogStreamText, TailCountsThePodsOwnLines) {
  LogStore store;
  for (int i = 0; i < 5; ++i) store.append(kHello, i % 2 == 0 ? "even" : "odd", false, std::to_string(i));
  LogStream last(store, {.function = kHello, .pod = "", .tailLines = 2});
  EXPECT_EQ(all(last), "3\n4\n");
  LogStream odd(store, {.function = kHello, .pod = "odd", .tailLines = 2, .prefix = true});
  EXPECT_EQ(all(odd), "[odd] 1\n[odd] 3\n");
  LogStream none(store, {.function = kHello, .pod = "", .tailLines = 0});
  EXPECT_EQ(all(none), "");
}

TEST(LogStreamText, FollowedWaitsForNewLinesAndEndsWhenCancelled) {
  LogStore store;
  store.append(kHello, "pod", false, "old");
  LogStream stream(store, {.function = kHello, .pod = "", .tailLines = {}, .follow = true});
  EXPECT_EQ(stream.next(kSoon), "old\n");
  auto waiting = std::async(std::launch::async, [&] { return stream.next(kSoon); });
  store.append(kHello, "pod", false, "new");
  EXPECT_EQ(waiting.get(), "new\n");
  auto cancelled = std::async(std::launch::async, [&] { return stream.next(kSoon); });
  stream.cancel();
  EXPECT_EQ(cancelled.get(), std::nullopt);
}

/// Gives out parts for ever.
class Endless final : public StreamSource {
 public:
  std::optional<std::string> next(std::chrono::milliseconds) override {
    if (cancelled_) return std::nullopt;
    return std::string(100, 'x');
  }
  void cancel() override { cancelled_ = true; }

 private:
  std::atomic<bool> cancelled_{false};
};

TEST(Pump, HoldsBackWhileItsPartsAreNotTaken) {
  std::atomic<std::size_t> emitted{0};
  std::promise<void> full, more;
  StreamPump pump(
      std::make_unique<Endless>(),
      [&](const std::string& part) {
        const auto sum = emitted += part.size();
        if (sum == 1000) full.set_value();
        if (sum == 1100) more.set_value();
      },
      [] {}, 1000);
  ASSERT_EQ(full.get_future().wait_for(kSoon), std::future_status::ready);
  EXPECT_EQ(emitted, 1000U);
  pump.taken(100);
  ASSERT_EQ(more.get_future().wait_for(kSoon), std::future_status::ready);
  EXPECT_EQ(emitted, 1100U);
}

TEST(Lines, AreCutWhereverThePartsEnd) {
  cli::LineSplitter lines;
  EXPECT_TRUE(lines.feed("ab").empty());
  const std::vector<std::string> expected = {"abc", "", "d"};
  EXPECT_EQ(lines.feed("c\n\nd\ne"), expected);
  EXPECT_EQ(lines.feed("\n").front(), "e");
}

}  // namespace
}  // namespace pilotlight::local
