// The writer of log lines, with files, pipes that nobody reads, and a full disk.
#include "gateway/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "../net/harness.h"

namespace pilotlight::gateway::test {
namespace {

using net::test::eventually;
using Json = nlohmann::json;

class Pipe {
 public:
  Pipe() {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    reader = net::Fd(fds[0]);
    writer = net::Fd(fds[1]);
  }
  /// What is there, until nothing has come for a while.
  std::string readSome() {
    std::string text;
    char buffer[65536];
    for (pollfd waiter{reader.get(), POLLIN, 0}; poll(&waiter, 1, 200) > 0;) {
      const ssize_t got = read(reader.get(), buffer, sizeof buffer);
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
  net::Fd reader, writer;
};

std::string line(int number) {
  return "{\"number\":" + std::to_string(number) + ",\"text\":\"" + std::string(80, 'x') + "\"}";
}

/// The numbers of whole lines, in their order; every line must be whole.
std::vector<int> numbers(const std::string& text) {
  std::vector<int> all;
  std::istringstream lines(text);
  for (std::string each; std::getline(lines, each);) {
    const Json json = Json::parse(each, nullptr, false);
    EXPECT_TRUE(json.is_object()) << each;
    if (json.is_object()) all.push_back(json["number"]);
  }
  return all;
}

TEST(LogRing, GivesWholeLinesInTheirOrderAroundItsEnd) {
  LogRing ring(64);
  std::string got, expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string text(static_cast<std::size_t>(i % 31), static_cast<char>('a' + i % 26));
    ring.push(text);
    ring.push("second");
    expected += text + "\nsecond\n";
    EXPECT_FALSE(ring.empty());
    ring.takeAll(got);
    EXPECT_TRUE(ring.empty());
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(ring.dropped(), 0u);
}

TEST(LogRing, DropsWhatDoesNotFitAndCountsIt) {
  LogRing ring(64);
  ring.push(std::string(64, 'x'));  // with its end it is longer than the ring
  ring.push(std::string(50, 'a'));
  ring.push(std::string(13, 'b'));
  ring.push(std::string(12, 'c'));
  std::string got;
  ring.takeAll(got);
  EXPECT_EQ(got, std::string(50, 'a') + "\n" + std::string(12, 'c') + "\n");
  EXPECT_EQ(ring.dropped(), 2u);
}

TEST(LogWriter, WritesTheLinesOfSeveralThreadsWholeAndEachInOrder) {
  Pipe pipe;
  constexpr int kThreads = 4, kLines = 500;
  std::string all;
  std::thread reader([&] {
    while (numbers(all).size() < kThreads * kLines) {
      const std::string more = pipe.readSome();
      if (more.empty()) break;
      all += more;
    }
  });
  {
    LogWriter writer({.sink = {}, .fd = pipe.writer.get()});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t, channel = t == 0 ? nullptr : &writer.channel()] {
        for (int i = 0; i < kLines; ++i) channel ? channel->write(line(t * kLines + i)) : writer.write(line(t * kLines + i));
      });
    }
    for (auto& thread : threads) thread.join();
  }
  reader.join();
  std::map<int, int> next;
  for (int number : numbers(all)) EXPECT_EQ(number % kLines, next[number / kLines]++);
  EXPECT_EQ(next.size(), kThreads);
  for (const auto& [thread, count] : next) EXPECT_EQ(count, kLines) << thread;
}

TEST(LogWriter, NeverWaitsForAPipeThatNobodyReadsAndGoesOnWhenItIsReadAgain) {
  Pipe pipe;
  LogWriter writer({.sink = {}, .fd = pipe.writer.get(), .ringBytes = 16 * 1024});
  LogWriter::Channel& channel = writer.channel();
  constexpr int kMany = 20'000;  // 2 MB: many times what pipe and ring hold
  for (int i = 0; i < kMany; ++i) channel.write(line(i));
  EXPECT_GT(writer.dropped(), 0u);
  std::vector<int> got = numbers(pipe.readSome());
  EXPECT_TRUE(std::ranges::is_sorted(got));
  EXPECT_EQ(got.size() + writer.dropped(), kMany) << "each line came, or was counted";
  channel.write(line(kMany));
  EXPECT_EQ(numbers(pipe.readSome()), std::vector<int>{kMany});
}

TEST(LogWriter, EndsAlthoughNobodyReadsItsPipe) {
  Pipe pipe;
  {
    LogWriter writer({.sink = {}, .fd = pipe.writer.get()});
    for (int i = 0; i < 5000; ++i) writer.write(line(i));
  }
  EXPECT_FALSE(pipe.readSome().empty());
}

TEST(LogWriter, CountsWhatAFullDiskDoesNotTake) {
  const net::Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  LogWriter writer({.sink = {}, .fd = full.get()});
  for (int i = 0; i < 100; ++i) writer.write(line(i));
  EXPECT_TRUE(eventually([&] { return writer.dropped() == 100; }));
}

TEST(LogWriter, CountsWhatAPipeWithoutAReaderDoesNotTake) {
  Pipe pipe;
  pipe.reader.reset();
  LogWriter writer({.sink = {}, .fd = pipe.writer.get()});
  writer.write(line(0));
  EXPECT_TRUE(eventually([&] { return writer.dropped() == 1; }));
}

TEST(LogWriter, WritesToAFileAgainAfterItsDiskWasFull) {
  // A file that may not grow beyond a size stands for the disk.
  char name[] = "/tmp/access-log-XXXXXX";
  const net::Fd file(mkostemp(name, O_APPEND | O_CLOEXEC));
  ASSERT_TRUE(file);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  LogWriter writer({.sink = {}, .fd = file.get()});
  for (int i = 0; i < 100; ++i) writer.write(line(i));
  EXPECT_TRUE(eventually([&] { return writer.dropped() > 50; }));
  setrlimit(RLIMIT_FSIZE, &before);
  writer.write(line(100));
  const auto content = [&] {
    std::ifstream in(name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_TRUE(eventually([&] { return content().ends_with("\n" + line(100) + "\n"); })) << content();
  std::filesystem::remove(name);
}

TEST(LogWriter, DropsAndCountsWhileItsSinkDoesNotReturn) {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  std::vector<std::string> got;
  LogWriter writer({.sink =
                        [&](std::string_view text) {
                          std::unique_lock lock(mutex);
                          changed.wait(lock, [&] { return open; });
                          got.emplace_back(text);
                        },
                    .ringBytes = 16 * 1024});
  constexpr std::size_t kMany = 1000;
  for (std::size_t i = 0; i < kMany; ++i) writer.write(line(static_cast<int>(i)));
  EXPECT_GT(writer.dropped(), 0u);
  {
    std::lock_guard lock(mutex);
    open = true;
  }
  changed.notify_all();
  EXPECT_TRUE(eventually([&] {
    std::lock_guard lock(mutex);
    return got.size() + writer.dropped() == kMany;
  }));
}

TEST(LogLine, IsValidJsonWhateverTheTextHolds) {
  std::string text;
  beginLogLine(text, "info", std::string_view("a\"b\\c\nd\0\x7f\xc3\xa9 end", 14));
  const Json json = Json::parse(text + "}");
  EXPECT_EQ(json["msg"].get<std::string>().substr(0, 7), "a\"b\\c\nd");
  const std::string time = json["ts"];
  EXPECT_EQ(time.size(), std::string("2026-01-31T12:00:00.000Z").size()) << time;
  EXPECT_EQ(time.back(), 'Z');
}

}  // namespace
}  // namespace pilotlight::gateway::test
