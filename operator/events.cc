#include "operator/events.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/api.h"
#include "kube/status.h"

namespace pilotlight::op {

namespace {

constexpr std::chrono::seconds kRepeatInterval{1};
constexpr std::chrono::milliseconds kFlushTime{500};
constexpr std::size_t kMessageBytes = 1024;  // the API's own limit

kube::Json render(const kube::Key& key, const kube::Key& function, const std::string& uid, const core::PlannedEvent& event,
                  const std::string& time) {
  return {
      {"apiVersion", "v1"},
      {"kind", "Event"},
      {"metadata", {{"name", key.name}, {"namespace", key.namespace_}}},
      {"involvedObject",
       {{"apiVersion", api::kApiVersion}, {"kind", "Function"}, {"namespace", function.namespace_}, {"name", function.name}, {"uid", uid}}},
      {"type", event.warning ? "Warning" : "Normal"},
      {"reason", event.reason},
      {"message", event.message.substr(0, kMessageBytes)},
      {"source", {{"component", api::kManagerOperator}}},
      {"reportingComponent", api::kManagerOperator},
      {"firstTimestamp", time},
      {"lastTimestamp", time},
      {"count", 1}};
}

}  // namespace

EventRecorder::EventRecorder(kube::Client& client, const Log& log, Metrics& metrics) : client_(client), log_(log), metrics_(metrics) {}
EventRecorder::~EventRecorder() {
  stop();
}

void EventRecorder::start() {
  thread_ = std::thread([this] { run(); });
}

void EventRecorder::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void EventRecorder::record(const kube::Key& function, const std::string& uid, const core::PlannedEvent& event) {
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.size() >= kQueue) {
      metrics_.eventDropped();
      return;
    }
    queue_.push_back({function, uid, event, std::chrono::system_clock::now()});
  }
  wake_.notify_one();
}

void EventRecorder::run() {
  std::optional<std::chrono::steady_clock::time_point> giveUp;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    const auto now = std::chrono::steady_clock::now();
    if (stopping_ && !giveUp) {
      giveUp = now + kFlushTime;
    }
    if (queue_.empty() || (giveUp && now >= *giveUp)) {
      return;  // only when stopping
    }
    const Entry entry = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    write(entry);
    lock.lock();
  }
}

void EventRecorder::write(const Entry& entry) {
  const std::string identity = entry.uid + "\n" + entry.event.reason + "\n" + entry.event.message;
  const auto known = byIdentity_.find(identity);
  if (known == byIdentity_.end()) {
    writeFirst(entry, identity);
  } else if (entry.at - known->second->at >= kRepeatInterval) {
    writeAgain(entry, *known->second);
  } else {
    ++known->second->count;  // told with the next one
  }
}

void EventRecorder::writeFirst(const Entry& entry, const std::string& identity) {
  const auto nanos = static_cast<std::uint64_t>(entry.at.time_since_epoch().count());
  const kube::Key key{entry.function.namespace_, fmt::format("{}.{:x}", entry.function.name, nanos + serial_++)};
  const auto made = client_.create(kube::resources::events, render(key, entry.function, entry.uid, entry.event, api::formatTime(entry.at)),
                                   api::kManagerOperator);
  if (!made) {
    const auto tell = kube::namespaceIsTerminating(made.error()) ? &Log::debug : &Log::warn;
    (log_.*tell)("event not written",
                 {{"function", entry.function.toString()}, {"reason", entry.event.reason}, {"error", made.error().message}});
    return;
  }
  written_.push_back({identity, key, 1, entry.at});
  byIdentity_[identity] = std::prev(written_.end());
  if (written_.size() > kKept) {
    forgetOldest();
  }
}

void EventRecorder::writeAgain(const Entry& entry, Written& known) {
  ++known.count;
  known.at = entry.at;
  const kube::Json patch{{"count", known.count}, {"lastTimestamp", api::formatTime(entry.at)}};
  const auto patched = client_.mergePatch(kube::resources::events, known.key, patch, api::kManagerOperator, "");
  if (!patched && patched.error().code == kube::ErrorCode::notFound) {  // the API forgets events after a while
    const auto it = byIdentity_.find(known.identity);
    const std::string identity = it->first;
    written_.erase(it->second);
    byIdentity_.erase(it);
    writeFirst(entry, identity);
  }
}

void EventRecorder::forgetOldest() {
  const Written oldest = written_.front();
  byIdentity_.erase(oldest.identity);
  written_.pop_front();
  const auto removed = client_.remove(kube::resources::events, oldest.key, {});
  if (!removed && removed.error().code != kube::ErrorCode::notFound) {
    log_.debug("old event not removed", {{"event", oldest.key.toString()}, {"error", removed.error().message}});
  }
}

}  // namespace pilotlight::op
