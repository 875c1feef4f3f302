#include "runtime-shim/leader_followers.h"

#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <latch>

namespace pilotlight::shim {
namespace {

struct TestJob final : Job {
  TestJob(std::function<void()> w, std::function<void()> d) : work(std::move(w)), whenDone(std::move(d)) {}
  void run() override { work(); }
  void done() override { whenDone(); }
  bool isLong() const override { return known; }
  std::function<void()> work, whenDone;
  bool known = false;
};

class LeaderFollowersTest : public testing::Test {
 protected:
  LeaderFollowersTest() : main_([this] { threads.run([this] { ++stops; }); }) {}
  ~LeaderFollowersTest() { stop(); }

  void stop() {
    if (!main_.joinable()) return;
    loop.stop();
    main_.join();
  }
  TestJob& submit(std::function<void()> work, std::function<void()> done = [] {}, bool known = false) {
    TestJob& job = jobs_.emplace_back(std::move(work), std::move(done));
    job.known = known;
    loop.post([this, &job] { threads.submit(job); });
    return job;
  }
  /// Returns when the loop has done all that was posted to it before.
  void passThroughLoop() {
    std::promise<void> reached;
    loop.post([&] { reached.set_value(); });
    reached.get_future().wait();
  }

  static constexpr std::size_t kLimit = 9;
  net::Loop loop;
  LeaderFollowers threads{loop, kLimit};
  int stops = 0;

 private:
  std::deque<TestJob> jobs_;
  std::thread main_;
};

TEST_F(LeaderFollowersTest, AShortJobRunsWithoutAChangeOfThreads) {
  // A busy machine may take the processor from us for longer than a job may keep the loop: then another one shows it.
  bool same = false;
  for (int i = 0; i < 1000 && !same; ++i) {
    std::promise<bool> answered;
    std::thread::id before, during;
    loop.post([&] { before = std::this_thread::get_id(); });
    submit([&] { during = std::this_thread::get_id(); },
           [&] { answered.set_value(before == during && during == std::this_thread::get_id()); });
    same = answered.get_future().get();
  }
  EXPECT_TRUE(same);
}

TEST_F(LeaderFollowersTest, AJobRunsBesideTheLoopAndItsEndOnIt) {
  std::promise<bool> onLoop;
  bool beside = false;
  submit([&] { beside = !loop.onThread(); }, [&] { onLoop.set_value(loop.onThread()); });
  EXPECT_TRUE(onLoop.get_future().get());
  EXPECT_TRUE(beside);
}

TEST_F(LeaderFollowersTest, TheLoopGoesOnWhileJobsBlock) {
  for (bool known : {false, true}) {
    std::latch release(1), all(3);
    for (int i = 0; i < 3; ++i) submit([&] { release.wait(); }, [&] { all.count_down(); }, known);
    passThroughLoop();
    passThroughLoop();
    release.count_down();
    all.wait();
  }
}

TEST_F(LeaderFollowersTest, AsManyJobsAsThereMayBeRunAtOnce) {
  for (int round = 0; round < 20; ++round) {
    std::latch together(kLimit), all(kLimit);
    for (std::size_t i = 0; i < kLimit; ++i) submit([&] { together.arrive_and_wait(); }, [&] { all.count_down(); });
    all.wait();
  }
}

TEST_F(LeaderFollowersTest, ShortJobsPassThoseThatBlock) {
  std::latch release(1), blocked(4);
  for (int i = 0; i < 4; ++i) submit([&] { release.wait(); }, [&] { blocked.count_down(); });
  std::latch quick(200);
  for (int i = 0; i < 200; ++i) submit([] {}, [&] { quick.count_down(); });
  quick.wait();
  release.count_down();
  blocked.wait();
}

TEST_F(LeaderFollowersTest, AJobMayWorkOnTheLoopWhetherItStillHasItOrNot) {
  for (bool loses : {false, true}) {
    std::promise<int> ended;
    int steps = 0;  // only ever touched on the loop
    auto step = [&] {
      if (loop.onThread()) ++steps;
    };
    submit(
        [&] {
          threads.onLoop(step);
          if (loses) passThroughLoop();  // another thread must have taken it
          threads.onLoop(step);
          threads.onLoop(step);
        },
        [&] { ended.set_value(steps); });
    EXPECT_EQ(ended.get_future().get(), 3) << "all of them before the end of the job";
  }
}

TEST_F(LeaderFollowersTest, AJobThatSaysThatItWillWaitLeavesTheLoopToOthers) {
  std::latch ended(1);
  submit(
      [&] {
        threads.aboutToWait();
        passThroughLoop();
        threads.aboutToWait();  // a second time: no effect
        passThroughLoop();
      },
      [&] { ended.count_down(); });
  ended.wait();
}

TEST_F(LeaderFollowersTest, NothingIsLostWhenShortAndLongJobsMix) {
  constexpr int kJobs = 3000;
  int ended = 0;  // only ever touched on the loop: the thread sanitizer would see two that have it
  std::latch all(kJobs);
  for (int i = 0; i < kJobs; ++i) {
    submit(
        [this, i] {
          if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i % 1200));
          if (i % 5 == 0) threads.onLoop([] {});
          if (i % 11 == 0) threads.aboutToWait();
        },
        [&] {
          ++ended;
          all.count_down();
        },
        i % 13 == 0);
    if (i % 8 == 0) passThroughLoop();  // as many at once as there are threads
  }
  all.wait();
  stop();
  EXPECT_EQ(ended, kJobs);
}

TEST_F(LeaderFollowersTest, StoppingIsToldOnceAndWaitsForJobs) {
  std::atomic<bool> release = false, ended = false;
  submit([&] {
    release.wait(false);
    ended = true;
  });
  passThroughLoop();
  passThroughLoop();  // the job runs by now, and another thread has the loop
  loop.stop();
  release = true;
  release.notify_all();
  stop();
  EXPECT_TRUE(ended);
  EXPECT_EQ(stops, 1);
}

}  // namespace
}  // namespace pilotlight::shim
