#include "runtime-shim/thread_pool.h"

namespace pilotlight::shim {

ThreadPool::~ThreadPool() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void ThreadPool::submit(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  // A waiting thread that was woken but doesn't run yet still counts, and so does the work that it was woken for.
  if (work_.size() > waiting_ && threads_.size() < limit_) {
    threads_.emplace_back([this] { run(); });
  } else {
    wake_.notify_one();
  }
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    wake_.wait(lock, [this] { return stopping_ || !work_.empty(); });
    --waiting_;
    if (work_.empty()) return;
    std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace pilotlight::shim
