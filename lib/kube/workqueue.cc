#include "kube/workqueue.h"

#include <algorithm>

namespace pilotlight::kube {

namespace {

WorkQueueOptions withClock(WorkQueueOptions options) {
  if (!options.now) options.now = [] { return std::chrono::steady_clock::now(); };
  return options;
}

}  // namespace

WorkQueue::WorkQueue(WorkQueueOptions options) : options_(withClock(std::move(options))) {}

void WorkQueue::add(const Key& key) {
  std::lock_guard lock(mutex_);
  addLocked(key);
}

void WorkQueue::addLocked(const Key& key) {
  if (stopped_ || !dirty_.insert(key).second) return;
  if (working_.contains(key)) return;  // done() queues it
  ready_.push_back(key);
  wake_.notify_one();
}

void WorkQueue::addAfter(const Key& key, std::chrono::milliseconds delay) {
  std::lock_guard lock(mutex_);
  addDelayed(key, delay);
}

void WorkQueue::addDelayed(const Key& key, std::chrono::milliseconds delay) {
  if (delay.count() <= 0) return addLocked(key);
  if (stopped_) return;
  const Clock::time_point due = options_.now() + delay;
  const auto [planned, added] = dueAt_.try_emplace(key, due);
  if (!added) {
    if (planned->second <= due) return;
    const auto [first, last] = delayed_.equal_range(planned->second);
    delayed_.erase(std::find_if(first, last, [&key](const auto& entry) { return entry.second == key; }));
    planned->second = due;
  }
  delayed_.emplace(due, key);
  if (delayed_.begin()->first == due) wake_.notify_one();  // a worker may be waiting for a later one
}

void WorkQueue::addRateLimited(const Key& key) {
  std::lock_guard lock(mutex_);
  const int failures = failures_[key]++;
  auto delay = options_.backoffBase;
  for (int i = 0; i < failures && delay < options_.backoffMax; ++i) delay *= 2;
  addDelayed(key, std::min(delay, options_.backoffMax));
}

void WorkQueue::forget(const Key& key) {
  std::lock_guard lock(mutex_);
  failures_.erase(key);
}

void WorkQueue::promoteDue(Clock::time_point now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const Key key = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    dueAt_.erase(key);
    addLocked(key);
  }
}

std::optional<Key> WorkQueue::take() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    promoteDue(options_.now());
    if (!ready_.empty()) {
      Key key = std::move(ready_.front());
      ready_.pop_front();
      dirty_.erase(key);
      working_.insert(key);
      // Whoever was woken for a delayed key may not be the one that waits for the next one.
      if (!ready_.empty() || !delayed_.empty()) wake_.notify_one();
      return key;
    }
    if (delayed_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_for(lock, delayed_.begin()->first - options_.now());
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const Key& key) {
  std::lock_guard lock(mutex_);
  working_.erase(key);
  if (!dirty_.contains(key) || stopped_) return;
  ready_.push_back(key);
  wake_.notify_one();
}

void WorkQueue::shutDown() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    ready_.clear();
    dirty_.clear();
    delayed_.clear();
    dueAt_.clear();
  }
  wake_.notify_all();
}

std::size_t WorkQueue::size() const {
  std::lock_guard lock(mutex_);
  std::size_t due = 0;
  for (const auto& [at, key] : delayed_) {
    if (at > options_.now()) break;
    if (!dirty_.contains(key) && !working_.contains(key)) ++due;
  }
  return ready_.size() + due;
}

}  // namespace pilotlight::kube
