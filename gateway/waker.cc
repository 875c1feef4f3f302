#include "gateway/waker.h"

#include <algorithm>

#include "core/pod_problem.h"

namespace pilotlight::gateway {

namespace {

constexpr int kConflictTries = 5;

kube::InformerOptions ours(const std::string& namespace_) {
  kube::InformerOptions options;
  options.namespace_ = namespace_;
  options.labelSelector = api::kLabelFunction;
  options.keep = {"/spec/replicas"};
  options.pageSize = 100;  // parsed at once
  return options;
}

}  // namespace

Waker::Waker(kube::Client& client, kube::Client& hasty, const std::string& namespace_, std::chrono::milliseconds repeat, int atOnce,
             Log log)
    : hasty_(hasty),
      repeat_(repeat),
      atOnce_(atOnce),
      log_(std::move(log)),
      deployments_(client, kube::resources::deployments, ours(namespace_)) {}

Waker::~Waker() {
  stop();
}

bool Waker::start(std::chrono::milliseconds syncTimeout) {
  deployments_.start();
  {
    std::lock_guard lock(mutex_);
    threads_.emplace_back([this] { run(); });
  }
  return deployments_.waitForSync(syncTimeout);
}

void Waker::stop() {
  deployments_.stop();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();  // none comes any more
  threads_.clear();
}

void Waker::wake(std::shared_ptr<FunctionEntry> entry) {
  {
    std::lock_guard lock(mutex_);
    const kube::Key& key = entry->key();
    const auto now = Clock::now();
    if (!due_.try_emplace(key, now, now, std::move(entry)).second) return;  // being woken already
    grow();
  }
  changed_.notify_one();
}

// A thread more when all wait for the API and there is a function to raise. With mutex_.
void Waker::grow() {
  const auto isDue = [now = Clock::now()](const auto& item) { return item.second.at <= now; };
  if (!stopping_ && raising_ == std::ssize(threads_) && raising_ < atOnce_ && std::ranges::any_of(due_, isDue))
    threads_.emplace_back([this] { run(); });
}

void Waker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto next = std::ranges::min_element(due_, {}, [](const auto& item) { return item.second.at; });
    if (next == due_.end() || next->second.at == Clock::time_point::max()) {
      changed_.wait(lock);
      continue;
    }
    if (next->second.at > Clock::now()) {
      changed_.wait_until(lock, next->second.at);
      continue;
    }
    const kube::Key key = next->first;
    const Due due = next->second;
    if (!due.entry->needsWake()) {
      due_.erase(next);
      continue;
    }
    next->second.at = Clock::time_point::max();  // one thread a function, however long the API takes
    ++raising_;
    grow();
    lock.unlock();
    raise(*due.entry, due.asked);
    lock.lock();
    --raising_;
    due_.at(key).at = Clock::now() + repeat_;
    changed_.notify_one();
  }
}

void Waker::raise(FunctionEntry& entry, Clock::time_point asked) {
  const auto target = entry.wakeTarget();
  if (!target || target->deployment.empty()) return;  // nothing to run yet; asked again
  const kube::Key key{entry.key().namespace_, target->deployment};
  kube::Object deployment = deployments_.store().get(key);
  for (int attempt = 0; attempt < kConflictTries; ++attempt) {
    if (!deployment || attempt > 0) {
      auto read = hasty_.get(kube::resources::deployments, key);
      if (!read) return log_("function can't be woken; trying again", entry.key(), read.error().message);
      deployment = *read;
    }
    if (deployment.intAt("/spec/replicas", 1) >= 1) return lookForPods(entry, key, target->version);
    const auto sent = Clock::now();
    auto raised = hasty_.patchScale(kube::resources::deployments, key, 1, deployment.resourceVersion(), api::kManagerGateway);
    if (raised) {
      entry.raised();
      patches_.fetch_add(1, std::memory_order_relaxed);
      sent_.observe(sent - asked);
      answered_.observe(Clock::now() - asked);
      return;
    }
    if (raised.error().code != kube::ErrorCode::conflict)
      return log_("function can't be woken; trying again", entry.key(), raised.error().message);
  }
}

// It was raised, and no pod has come: can none be made?
void Waker::lookForPods(FunctionEntry& entry, const kube::Key& key, std::int64_t version) {
  if (!entry.pods().empty()) return;
  const auto deployment = hasty_.get(kube::resources::deployments, key);
  if (deployment) entry.pods().refused(version, core::podsRefused(deployment->json()));
}

}  // namespace pilotlight::gateway
