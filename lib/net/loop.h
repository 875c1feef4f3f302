// One epoll loop: descriptors, timers, and work posted from other threads.
//
// Thread-safety: everything runs on the loop's own thread, the one in run(), turn() or perform(), of which there is one at a
// time; only post() and stop() may be called from others. Between two turns the loop may pass to another thread, if the two
// synchronise. Objects that are registered must be removed before they die.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

namespace pilotlight::net {

using Clock = std::chrono::steady_clock;

class Pollable {
 public:
  virtual void onReady(std::uint32_t epollEvents) = 0;

 protected:
  ~Pollable() = default;
};

/// Something with output that is sent when the callback that produced it has returned: what one event writes
/// goes out together. See Loop::flushSoon().
class Flusher {
 public:
  virtual void flush() = 0;

 protected:
  ~Flusher() = default;

 private:
  friend class Loop;
  bool flushQueued_ = false;
};

class Loop;

/// Fires once per arm(). Cancels itself when destroyed. Arming an armed timer moves it.
class Timer {
 public:
  /// `fire` is kept in the timer: a lambda that captures one pointer or reference, since every connection has timers.
  template <class Fire>
  explicit Timer(Fire fire) : fire_([](void* state) { (*static_cast<Fire*>(state))(); }) {
    static_assert(sizeof(Fire) <= sizeof(void*) && std::is_trivially_copyable_v<Fire>, "capture one pointer only");
    std::memcpy(static_cast<void*>(&state_), &fire, sizeof fire);
  }
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool armed() const { return loop_ != nullptr; }
  Clock::time_point due() const { return due_; }  ///< while armed
  void cancel();

 private:
  friend class Loop;
  void (*fire_)(void* state);
  void* state_ = nullptr;  // the lambda itself
  Loop* loop_ = nullptr;
  std::size_t slot_ = 0;  // in loop_'s heap
  Clock::time_point due_{};
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();  ///< turns until stop(); may be called again
  /// Waits for something to do, `patience` at most, and does it. False: it was told to stop.
  bool turn(std::chrono::milliseconds patience);
  /// Runs `work` as the loop's thread, between two turns, as if it were a callback: what it wants flushed goes out after it.
  template <class Work>
  void perform(Work work) {
    const Loop* outer = enter();
    work();
    flushAll();
    destroyDying();
    leave(outer);
  }
  static constexpr std::chrono::milliseconds kForever = std::chrono::milliseconds::max();

  void stop();                            ///< from any thread
  void post(std::function<void()> work);  ///< from any thread; runs in order, also what is posted before run()
  bool onThread() const;

  Clock::time_point now() const { return now_; }  ///< of this turn of the loop

  /// epoll events (level-triggered unless EPOLLET is given). False: the kernel has no room for one more, now.
  [[nodiscard]] bool tryAdd(int fd, std::uint32_t events, Pollable& target);
  void add(int fd, std::uint32_t events, Pollable& target);  ///< the same for what must not fail: ends the process
  void modify(int fd, std::uint32_t events, Pollable& target);
  void remove(int fd, Pollable& target);  ///< no onReady after this, also not in the same turn

  /// Fires in a later turn, also when `due` is not later than now(): one that arms itself again can't starve the sockets.
  void arm(Timer& timer, Clock::time_point due);
  void arm(Timer& timer, std::chrono::milliseconds delay) { arm(timer, Clock::now() + delay); }

  /// Calls target.flush() right after the current callback. Queuing twice is as once.
  void flushSoon(Flusher& target) {
    if (target.flushQueued_) return;
    target.flushQueued_ = true;
    flushers_.push_back(&target);
  }
  void forgetFlush(Flusher& target);  ///< before a target dies

  /// Destroys `object` at the end of this turn: for objects that end themselves in a callback.
  template <class T>
  void destroyLater(std::unique_ptr<T> object) {
    T* raw = object.release();
    dying_.push_back({raw, [](void* p) { delete static_cast<T*>(p); }});
  }

  /// 16 KiB blocks, kept for reuse. Loop thread only.
  static constexpr std::size_t kBlockSize = 16 * 1024;
  char* takeBlock();
  void giveBlock(char* block);

 private:
  friend class Timer;
  struct Batch;
  struct Dying {
    void* object;
    void (*destroy)(void*);
  };
  const Loop* enter();
  static void leave(const Loop* outer);
  void handle(Batch& batch);
  void cancel(Timer& timer);
  void fireTimers();
  void runPosted();
  void destroyDying();
  void flushAll();
  void siftUp(std::size_t slot);
  void siftDown(std::size_t slot);
  int timeoutMillis(std::chrono::milliseconds patience) const;

  int epoll_ = -1;
  int wakeFd_ = -1;
  Clock::time_point now_;
  std::vector<Timer*> timers_;  // binary heap by due_
  std::vector<Dying> dying_;
  std::vector<Flusher*> flushers_;  // null where forgotten
  std::vector<char*> blocks_;
  Batch* batch_ = nullptr;  // events of the current turn
  bool stopping_ = false;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
};

}  // namespace pilotlight::net
