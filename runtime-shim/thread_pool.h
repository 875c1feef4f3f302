// Threads for user code, created when there is work and none is free, up to a bound.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pilotlight::shim {

/// Thread-safe.
class ThreadPool {
 public:
  explicit ThreadPool(std::size_t limit) : limit_(limit) {}
  /// Joins: all work must be able to end.
  ~ThreadPool();
  /// Runs `work` on a thread; it waits when all `limit` threads are busy. The caller bounds how much it hands over.
  void submit(std::function<void()> work);

 private:
  void run();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;  // guarded by mutex_
  std::size_t waiting_ = 0;                 // guarded by mutex_: threads without work
  bool stopping_ = false;                   // guarded by mutex_
  std::vector<std::thread> threads_;        // guarded by mutex_
};

}  // namespace pilotlight::shim
