#include "net/loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <thread>

namespace pilotlight::net {
namespace {

using std::chrono::milliseconds;

TEST(Loop, RunsPostedWorkInOrderFromAnyThread) {
  Loop loop;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) loop.post([&seen, i] { seen.push_back(i); });
  std::thread other([&] {
    for (int i = 3; i < 1000; ++i) loop.post([&seen, i] { seen.push_back(i); });
    loop.stop();
  });
  loop.run();
  other.join();
  ASSERT_EQ(seen.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(Loop, FiresTimersInOrderOfTheirTime) {
  Loop loop;
  std::vector<int> fired;
  const auto start = Clock::now();
  struct Delayed {
    Delayed(int millis, std::function<void(int)> fire) : delay(millis), fired(std::move(fire)) {}
    int delay;
    std::function<void(int)> fired;
    Timer timer{[this] { fired(delay); }};
  };
  std::vector<std::unique_ptr<Delayed>> timers;
  for (int delay : {5, 1, 4, 2, 3}) {
    timers.push_back(std::make_unique<Delayed>(delay, [&](int after) {
      EXPECT_GE(Clock::now() - start, milliseconds(after));
      fired.push_back(after);
      if (fired.size() == 4) loop.stop();
    }));
    loop.arm(timers.back()->timer, start + milliseconds(delay));
  }
  timers[4]->timer.cancel();
  loop.run();
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 4, 5}));
}

TEST(Loop, MovesAnArmedTimer) {
  Loop loop;
  int fired = 0;
  Timer end([&] { loop.stop(); });
  Timer moved([&] { ++fired; });
  loop.arm(moved, milliseconds(1));
  loop.arm(moved, milliseconds(60'000));
  loop.arm(end, milliseconds(5));
  loop.run();
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(moved.armed());
}

struct Partner final : Pollable {
  Loop& loop;
  int fd, otherFd;
  Partner* other = nullptr;
  int events = 0;
  Partner(Loop& l, int mine, int theirs) : loop(l), fd(mine), otherFd(theirs) {}
  void onReady(std::uint32_t) override {
    ++events;
    loop.remove(otherFd, *other);
    loop.remove(fd, *this);
    loop.stop();
  }
};

TEST(Loop, ATimerThatArmsItselfAgainWaitsForTheNextTurn) {
  Loop loop;
  int fired = 0;
  std::vector<std::unique_ptr<Timer>> others;  // more timers give it no more turns
  for (int i = 0; i < 100; ++i) {
    others.push_back(std::make_unique<Timer>([&] { ADD_FAILURE() << "an hour has not passed"; }));
    loop.arm(*others.back(), std::chrono::hours(1));
  }
  struct Again {
    Loop& loop;
    int& fired;
    Timer timer{[this] { ++fired, loop.arm(timer, loop.now()); }};
  } again{loop, fired};
  loop.arm(again.timer, loop.now());
  for (int turn = 1; turn <= 5; ++turn) {
    loop.turn(milliseconds(0));
    EXPECT_EQ(fired, turn);
  }
}

TEST(Loop, DoesNotCallWhatWasRemovedInTheSameTurn) {
  Loop loop;
  int a[2], b[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
  Partner first(loop, a[0], b[0]), second(loop, b[0], a[0]);
  first.other = &second;
  second.other = &first;
  ASSERT_EQ(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
  loop.add(a[0], EPOLLIN, first);
  loop.add(b[0], EPOLLIN, second);
  loop.run();
  EXPECT_EQ(first.events + second.events, 1);
  for (int fd : {a[0], a[1], b[0], b[1]}) close(fd);
}

struct Counter final : Flusher {
  int flushes = 0;
  void flush() override { ++flushes; }
};

TEST(Loop, FlushesOnceAfterTheCallbackThatAskedForIt) {
  Loop loop;
  auto counter = std::make_unique<Counter>();
  auto forgotten = std::make_unique<Counter>();
  loop.post([&] {
    loop.flushSoon(*counter);
    loop.flushSoon(*counter);
    loop.flushSoon(*forgotten);
    loop.forgetFlush(*forgotten);
    forgotten.reset();
    EXPECT_EQ(counter->flushes, 0);
  });
  loop.post([&] {
    EXPECT_EQ(counter->flushes, 1);
    loop.stop();
  });
  loop.run();
}

TEST(Loop, ATurnDoesWhatIsThereAndTellsOfTheWishToStop) {
  Loop loop;
  int done = 0;
  loop.post([&] { ++done; });
  EXPECT_TRUE(loop.turn(Loop::kForever));
  EXPECT_EQ(done, 1);
  EXPECT_TRUE(loop.turn(milliseconds(0))) << "nothing to do, and no patience";
  Timer timer([&] { ++done; });
  loop.arm(timer, milliseconds(1));
  while (done == 1) EXPECT_TRUE(loop.turn(Loop::kForever));
  loop.stop();
  EXPECT_FALSE(loop.turn(Loop::kForever));
}

TEST(Loop, MayPassToAnotherThreadBetweenTwoTurns) {
  Loop loop;
  std::vector<std::thread::id> seen;
  for (int i = 0; i < 2; ++i) {
    loop.post([&] {
      EXPECT_TRUE(loop.onThread());
      seen.push_back(std::this_thread::get_id());
    });
    std::thread([&] { EXPECT_TRUE(loop.turn(Loop::kForever)); }).join();
  }
  EXPECT_FALSE(loop.onThread());
  ASSERT_EQ(seen.size(), 2u);
}

TEST(Loop, WhatIsPerformedBetweenTurnsIsFlushedAndDestroyedAtOnce) {
  struct Counted final : Flusher {
    explicit Counted(int& n) : count(n) {}
    ~Counted() { count += 10; }
    void flush() override { ++count; }
    int& count;
  };
  Loop loop;
  int count = 0;
  loop.perform([&] {
    EXPECT_TRUE(loop.onThread());
    auto object = std::make_unique<Counted>(count);
    loop.flushSoon(*object);
    loop.destroyLater(std::move(object));
    EXPECT_EQ(count, 0);
  });
  EXPECT_EQ(count, 11);
}

}  // namespace
}  // namespace pilotlight::net
