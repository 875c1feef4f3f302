#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace pilotlight::net {

namespace {

thread_local const Loop* currentLoop = nullptr;

constexpr std::size_t kMaxSpareBlocks = 64;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "net::Loop: %s: %s\n", what, std::strerror(errno));
  std::abort();
}

}  // namespace

struct Loop::Batch {
  std::array<epoll_event, 256> events;
  int size = 0;
  int next = 0;
};

Timer::~Timer() {
  cancel();
}

void Timer::cancel() {
  if (loop_) loop_->cancel(*this);
}

Loop::Loop() : now_(Clock::now()) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) die("epoll_create1");
  wakeFd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wakeFd_ < 0) die("eventfd");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // the wake-up itself
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeFd_, &event) != 0) die("epoll_ctl");
}

Loop::~Loop() {
  destroyDying();
  while (!timers_.empty()) cancel(*timers_.back());
  for (char* block : blocks_) delete[] block;
  close(wakeFd_);
  close(epoll_);
}

bool Loop::onThread() const {
  return currentLoop == this;
}

void Loop::post(std::function<void()> work) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(work));
  }
  if (!first) return;
  std::uint64_t one = 1;
  // A full counter (EAGAIN) wakes as well.
  [[maybe_unused]] ssize_t written = write(wakeFd_, &one, sizeof one);
}

void Loop::stop() {
  post([this] { stopping_ = true; });
}

void Loop::runPosted() {
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) {
    item();
    flushAll();
  }
  work.clear();
  std::lock_guard lock(mutex_);
  if (posted_.empty()) posted_.swap(work);  // its room is used again
}

void Loop::flushAll() {
  // A flush may queue further ones; they are appended and done in this same pass.
  for (std::size_t i = 0; i < flushers_.size(); ++i) {
    Flusher* target = flushers_[i];
    if (!target) continue;
    target->flushQueued_ = false;
    target->flush();
  }
  flushers_.clear();
}

void Loop::forgetFlush(Flusher& target) {
  if (!target.flushQueued_) return;
  target.flushQueued_ = false;
  std::replace(flushers_.begin(), flushers_.end(), &target, static_cast<Flusher*>(nullptr));
}

void Loop::destroyDying() {
  while (!dying_.empty()) {
    Dying last = dying_.back();
    dying_.pop_back();
    last.destroy(last.object);
  }
}

const Loop* Loop::enter() {
  const Loop* outer = currentLoop;
  currentLoop = this;
  return outer;
}

void Loop::leave(const Loop* outer) {
  currentLoop = outer;
}

void Loop::run() {
  now_ = Clock::now();
  perform([this] { runPosted(); });
  while (turn(kForever)) {
  }
}

bool Loop::turn(std::chrono::milliseconds patience) {
  if (std::exchange(stopping_, false)) return false;
  const Loop* outer = enter();
  Batch batch;
  batch_ = &batch;
  batch.size = epoll_wait(epoll_, batch.events.data(), static_cast<int>(batch.events.size()), timeoutMillis(patience));
  if (batch.size < 0) {
    if (errno != EINTR) die("epoll_wait");
    batch.size = 0;
  }
  now_ = Clock::now();
  handle(batch);
  batch_ = nullptr;
  leave(outer);
  return !std::exchange(stopping_, false);
}

void Loop::handle(Batch& batch) {
  bool woken = false;
  while (batch.next < batch.size) {
    epoll_event& event = batch.events[static_cast<std::size_t>(batch.next++)];
    if (event.events == 0) continue;  // removed in this turn
    if (event.data.ptr == nullptr) {
      woken = true;
      continue;
    }
    static_cast<Pollable*>(event.data.ptr)->onReady(event.events);
    if (!flushers_.empty()) flushAll();
  }
  fireTimers();
  if (woken) {
    std::uint64_t count;
    [[maybe_unused]] ssize_t got = read(wakeFd_, &count, sizeof count);
    runPosted();
  }
  destroyDying();
}

bool Loop::tryAdd(int fd, std::uint32_t events, Pollable& target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  if (errno != ENOMEM && errno != ENOSPC) die("epoll_ctl add");
  return false;
}

void Loop::add(int fd, std::uint32_t events, Pollable& target) {
  if (!tryAdd(fd, events, target)) die("epoll_ctl add");
}

void Loop::modify(int fd, std::uint32_t events, Pollable& target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &target;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) die("epoll_ctl modify");
}

void Loop::remove(int fd, Pollable& target) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  if (!batch_) return;
  for (int i = batch_->next; i < batch_->size; ++i) {
    epoll_event& event = batch_->events[static_cast<std::size_t>(i)];
    if (event.data.ptr == &target) event.events = 0;
  }
}

// --- timers: a binary heap with the earliest at slot 0 ---

void Loop::arm(Timer& timer, Clock::time_point due) {
  timer.due_ = std::max(due, now_ + Clock::duration(1));
  if (timer.loop_) {
    siftUp(timer.slot_);
    siftDown(timer.slot_);
    return;
  }
  timer.loop_ = this;
  timer.slot_ = timers_.size();
  timers_.push_back(&timer);
  siftUp(timer.slot_);
}

void Loop::cancel(Timer& timer) {
  const std::size_t slot = timer.slot_;
  Timer* last = timers_.back();
  timers_.pop_back();
  timer.loop_ = nullptr;
  if (last == &timer) return;
  timers_[slot] = last;
  last->slot_ = slot;
  siftUp(slot);
  siftDown(last->slot_);
}

void Loop::siftUp(std::size_t slot) {
  while (slot > 0) {
    const std::size_t parent = (slot - 1) / 2;
    if (timers_[parent]->due_ <= timers_[slot]->due_) return;
    std::swap(timers_[parent], timers_[slot]);
    timers_[parent]->slot_ = parent;
    timers_[slot]->slot_ = slot;
    slot = parent;
  }
}

void Loop::siftDown(std::size_t slot) {
  for (;;) {
    std::size_t least = slot;
    for (std::size_t child = 2 * slot + 1; child <= 2 * slot + 2 && child < timers_.size(); ++child)
      if (timers_[child]->due_ < timers_[least]->due_) least = child;
    if (least == slot) return;
    std::swap(timers_[least], timers_[slot]);
    timers_[least]->slot_ = least;
    timers_[slot]->slot_ = slot;
    slot = least;
  }
}

void Loop::fireTimers() {
  while (!timers_.empty() && timers_[0]->due_ <= now_) {
    Timer* timer = timers_[0];
    cancel(*timer);
    timer->fire_(static_cast<void*>(&timer->state_));
    if (!flushers_.empty()) flushAll();
  }
}

int Loop::timeoutMillis(std::chrono::milliseconds patience) const {
  if (!dying_.empty()) return 0;
  if (!timers_.empty() && patience.count() > 0) {
    // Rounded up: waking early would spin.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_[0]->due_ - Clock::now());
    patience = std::clamp(left, std::chrono::milliseconds(0), patience);
  }
  if (patience == kForever) return -1;
  return static_cast<int>(std::min<std::chrono::milliseconds>(patience, std::chrono::minutes(1)).count());
}

// --- blocks ---

char* Loop::takeBlock() {
  if (blocks_.empty()) return new char[kBlockSize];
  char* block = blocks_.back();
  blocks_.pop_back();
  return block;
}

void Loop::giveBlock(char* block) {
  if (!block) return;
  if (blocks_.size() < kMaxSpareBlocks)
    blocks_.push_back(block);
  else
    delete[] block;
}

}  // namespace pilotlight::net
