#include "cli/local/stream_pump.h"

namespace pilotlight::local {

namespace {
constexpr std::chrono::milliseconds kWait{500};
}

StreamPump::StreamPump(std::unique_ptr<StreamSource> source, std::function<void(std::string)> emit, std::function<void()> end,
                       std::size_t window)
    : source_(std::move(source)), emit_(std::move(emit)), end_(std::move(end)), window_(window), thread_([this] { run(); }) {}

StreamPump::~StreamPump() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  source_->cancel();
  thread_.join();
}

void StreamPump::taken(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    open_ -= bytes;
  }
  changed_.notify_all();
}

void StreamPump::run() {
  for (;;) {
    auto part = source_->next(kWait);
    std::unique_lock lock(mutex_);
    if (stopped_) return;
    if (!part) break;
    if (part->empty()) continue;
    open_ += part->size();
    lock.unlock();
    emit_(std::move(*part));
    lock.lock();
    changed_.wait(lock, [&] { return stopped_ || open_ < window_; });
  }
  end_();
}

}  // namespace pilotlight::local
