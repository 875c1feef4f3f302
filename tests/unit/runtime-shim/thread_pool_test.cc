#include "runtime-shim/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>

namespace pilotlight::shim {
namespace {

TEST(ThreadPoolTest, RunsAsMuchAtOnceAsItHasThreads) {
  std::latch all(8);
  ThreadPool pool(8);
  for (int i = 0; i < 8; ++i) {
    pool.submit([&] { all.arrive_and_wait(); });  // ends only if all eight run at the same time
  }
}

TEST(ThreadPoolTest, NothingHandedOverIsForgotten) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool(2);
    for (int round = 0; round < 200; ++round) {
      auto pair = std::make_shared<std::latch>(2);
      for (int i = 0; i < 2; ++i) {
        pool.submit([&done, pair] {
          ++done;
          pair->arrive_and_wait();
        });
      }
      pair->wait();
    }
    pool.submit([&] { ++done; });
  }
  EXPECT_EQ(done, 401);
}

}  // namespace
}  // namespace pilotlight::shim
