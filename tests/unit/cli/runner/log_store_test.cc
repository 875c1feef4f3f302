#include "cli/local/log_store.h"

#include <gtest/gtest.h>

#include <thread>

namespace pilotlight::local {
namespace {

const kube::Key kA{"default", "a"}, kB{"default", "b"};

std::vector<std::string> texts(const std::vector<LogStore::Line>& lines) {
  std::vector<std::string> out;
  for (const auto& line : lines) out.push_back(line.text);
  return out;
}

TEST(LogStore, KeepsLinesPerFunctionInOrder) {
  LogStore store;
  store.append(kA, "a-1", false, "one");
  store.append(kB, "b-1", false, "other");
  store.append(kA, "a-2", true, "two");
  const auto lines = store.read(kA, 0, 10);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "one");
  EXPECT_EQ(lines[0].pod, "a-1");
  EXPECT_FALSE(lines[0].isStderr);
  EXPECT_EQ(lines[1].pod, "a-2");
  EXPECT_TRUE(lines[1].isStderr);
  EXPECT_LT(lines[0].sequence, lines[1].sequence);
  EXPECT_TRUE(store.read({"default", "unknown"}, 0, 10).empty());
}

TEST(LogStore, ReadsOnFromASequenceAndTheTail) {
  LogStore store;
  for (const char* text : {"1", "2", "3", "4"}) store.append(kA, "p", false, text);
  const auto first = store.read(kA, 0, 2);
  EXPECT_EQ(texts(first), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(texts(store.read(kA, first.back().sequence, 10)), (std::vector<std::string>{"3", "4"}));
  EXPECT_EQ(texts(store.tail(kA, 3)), (std::vector<std::string>{"2", "3", "4"}));
  EXPECT_EQ(store.tail(kA, 100).size(), 4U);
}

TEST(LogStore, DropsAndCountsTheOldestOfAFunctionPastItsBound) {
  LogStore store({.bytesPerFunction = 1000, .bytesInAll = 100000});
  for (int i = 0; i < 100; ++i) store.append(kA, "p", false, std::to_string(i) + std::string(100, 'x'));
  const auto lines = store.read(kA, 0, 1000);
  EXPECT_LE(store.bytes(), 1000U);
  EXPECT_GE(lines.size(), 3U);
  EXPECT_TRUE(lines.back().text.starts_with("99x"));
  EXPECT_EQ(store.dropped(kA), 100 - lines.size());
}

TEST(LogStore, DropsTheOldestOfAllPastTheWholeBound) {
  LogStore store({.bytesPerFunction = 1000, .bytesInAll = 1500});
  for (int i = 0; i < 100; ++i) store.append(kA, "p", false, std::string(100, 'a'));
  EXPECT_GT(store.bytes(), 700U);
  for (int i = 0; i < 100; ++i) store.append(kB, "p", false, std::string(100, 'b'));
  EXPECT_LE(store.bytes(), 1500U);
  EXPECT_GT(store.read(kB, 0, 1000).size(), store.read(kA, 0, 1000).size());
  for (int i = 0; i < 40; ++i) store.append({"default", std::to_string(i)}, "p", false, "line");
  EXPECT_LE(store.bytes(), 1500U);
  EXPECT_TRUE(store.read(kA, 0, 1000).empty());
}

TEST(LogStore, CutsALineLargerThanTheRing) {
  LogStore store({.bytesPerFunction = 1000, .bytesInAll = 100000});
  store.append(kA, "p", false, std::string(5000, 'x'));
  ASSERT_EQ(store.read(kA, 0, 10).size(), 1U);
  EXPECT_LE(store.bytes(), 1000U);
}

TEST(LogStore, TellsSubscribersUntilTheyLeave) {
  LogStore store;
  int calls = 0;
  const int id = store.subscribe([&] { ++calls; });
  store.append(kA, "p", false, "x");
  EXPECT_EQ(calls, 1);
  store.unsubscribe(id);
  store.append(kA, "p", false, "x");
  EXPECT_EQ(calls, 1);
}

TEST(LogStore, IsSafeFromManyThreads) {
  LogStore store({.bytesPerFunction = 4000, .bytesInAll = 6000});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        store.append(t % 2 ? kA : kB, "p", false, std::to_string(i));
        if (i % 50 == 0) store.read(kA, 0, 100);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_LE(store.bytes(), 6000U);
  EXPECT_EQ(store.tail(kA, 1).size() + store.tail(kB, 1).size(), 2U);
}

}  // namespace
}  // namespace pilotlight::local
