#include "net/block_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace pilotlight::net {
namespace {

TEST(BlockQueue, GivesBackWhatWasPutInWhateverTheSizes) {
  Loop loop;
  BlockQueue queue(loop);
  std::string in, out;
  std::size_t size = 1;
  for (int round = 0; round < 2000; ++round) {
    size = (size * 7919 + 13) % 20'000;
    std::string part;
    for (std::size_t i = 0; i < size; ++i) part += static_cast<char>(in.size() + i);
    in += part;
    queue.append(part);
    while (queue.size() > 30'000) {
      const std::string_view front = queue.front();
      const std::size_t take = std::min<std::size_t>(front.size(), 7000);
      out += front.substr(0, take);
      queue.consume(take);
    }
    ASSERT_EQ(in.size(), out.size() + queue.size());
    ASSERT_EQ(queue.empty(), queue.front().empty());
  }
  while (!queue.empty()) {
    out += queue.front();
    queue.consume(queue.front().size());
  }
  EXPECT_TRUE(in == out);
}

TEST(BlockQueue, IsEmptyAfterClearAndUsableAgain) {
  Loop loop;
  BlockQueue queue(loop);
  queue.append(std::string(100'000, 'x'));
  queue.clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.front(), "");
  queue.append("ab");
  queue.consume(1);
  EXPECT_EQ(queue.front(), "b");
}

}  // namespace
}  // namespace pilotlight::net
