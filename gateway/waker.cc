#include "gateway/waker.h"

#include <algorithm>

namespace pilotlight::gateway {

namespace {

constexpr int kConflictTries = 5;

kube::InformerOptions ours() {
  kube::InformerOptions options;
  options.labelSelector = api::kLabelFunction;
  return options;
}

}  // namespace

Waker::Waker(kube::Client& client, std::chrono::milliseconds repeat, Log log)
    : client_(client), repeat_(repeat), log_(std::move(log)), deployments_(client, kube::resources::deployments, ours()) {}

Waker::~Waker() {
  stop();
}

bool Waker::start(std::chrono::milliseconds syncTimeout) {
  deployments_.start();
  thread_ = std::thread([this] { run(); });
  return deployments_.waitForSync(syncTimeout);
}

void Waker::stop() {
  deployments_.stop();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Waker::wake(std::shared_ptr<FunctionEntry> entry) {
  {
    std::lock_guard lock(mutex_);
    const kube::Key& key = entry->key();
    if (!due_.try_emplace(key, Clock::now(), std::move(entry)).second) return;  // being woken already
  }
  changed_.notify_all();
}

void Waker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = std::ranges::min_element(due_, {}, [](const auto& item) { return item.second.first; });
    if (next == due_.end()) {
      changed_.wait(lock);
      continue;
    }
    if (next->second.first > Clock::now()) {
      changed_.wait_until(lock, next->second.first);
      continue;
    }
    const kube::Key key = next->first;
    const std::shared_ptr<FunctionEntry> entry = next->second.second;
    if (!entry->needsWake()) {
      due_.erase(next);
      continue;
    }
    next->second.first = Clock::now() + repeat_;
    lock.unlock();
    raise(*entry);
    lock.lock();
  }
}

void Waker::raise(const FunctionEntry& entry) {
  const kube::Key key{entry.key().namespace_, entry.wakeTarget()};
  if (key.name.empty()) return;  // nothing to run yet; asked again
  kube::Object deployment = deployments_.store().get(key);
  for (int attempt = 0; attempt < kConflictTries; ++attempt) {
    if (!deployment || attempt > 0) {
      auto read = client_.get(kube::resources::deployments, key);
      if (!read) return log_("function can't be woken; trying again", entry.key(), read.error().message);
      deployment = *read;
    }
    if (deployment.intAt("/spec/replicas", 1) >= 1) return;
    auto raised = client_.patchScale(kube::resources::deployments, key, 1, deployment.resourceVersion(), api::kManagerGateway);
    if (raised) {
      patches_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (raised.error().code != kube::ErrorCode::conflict)
      return log_("function can't be woken; trying again", entry.key(), raised.error().message);
  }
}

}  // namespace pilotlight::gateway
