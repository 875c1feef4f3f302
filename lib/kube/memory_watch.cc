#include "kube/memory_watch.h"

#include <nlohmann/json.hpp>

#include "kube/memory_state.h"

namespace pilotlight::kube {

Object Version::object() const {
  if (live_) return live_;
  return Object(Json::from_cbor(packed_));
}

Object Version::pack(std::string packed) {
  packed_ = std::move(packed);
  return std::exchange(live_, Object());
}

std::string Version::packed(const Object& object) {
  std::string out;
  Json::to_cbor(object.json(), out);
  out.shrink_to_fit();
  return out;
}

Object renumbered(const Object& object, std::uint64_t resourceVersion) {
  Json json = object.json();
  json["metadata"]["resourceVersion"] = std::to_string(resourceVersion);
  return Object(std::move(json));
}

void History::add(std::uint64_t resourceVersion, std::shared_ptr<Version> before, std::shared_ptr<Version> after, bool deleted,
                  std::size_t maxEntries) {
  entries_.push_back({resourceVersion, std::move(before), std::move(after), deleted});
  while (entries_.size() > maxEntries) forgetOldest();
}

void History::charge(std::size_t bytes, std::size_t maxBytes) {
  if (entries_.empty()) return;
  entries_.back().bytes += bytes;
  bytes_ += bytes;
  while (bytes_ > maxBytes) forgetOldest();
}

void History::forgetOldest() {
  forgottenUpTo = entries_.front().resourceVersion;
  bytes_ -= entries_.front().bytes;
  entries_.pop_front();
}

WatchQueue::WatchQueue(std::string namespace_, LabelSelector selector, Clock::time_point end, std::size_t maxWaiting)
    : namespace_(std::move(namespace_)), selector_(std::move(selector)), end_(end), maxWaiting_(maxWaiting) {}

std::optional<WatchEvent> WatchQueue::seen(const Change& change, Object& shared) const {
  if (!namespace_.empty() && change.after.namespace_() != namespace_) return std::nullopt;
  using Type = WatchEvent::Type;
  const bool matches = selector_.matches(change.after);
  if (change.deleted) return matches ? std::optional(WatchEvent{Type::deleted, change.after}) : std::nullopt;
  const bool matched = change.before && (selector_.empty() || selector_.matches(change.before));
  if (matches) return WatchEvent{matched ? Type::modified : Type::added, change.after};
  if (!matched) return std::nullopt;
  if (!shared) shared = renumbered(change.before, change.resourceVersion);
  return WatchEvent{Type::deleted, shared};
}

bool WatchQueue::push(const Change& change, Object& shared) {
  std::optional<WatchEvent> event = seen(change, shared);
  if (!event) return false;
  std::lock_guard lock(mutex_);
  if (ended_) return false;
  if (waiting_.size() >= maxWaiting_) {
    waiting_.clear();
    ended_ = Error{ErrorCode::gone, "watch: 410 gone: the watch did not keep up; list again"};
    return true;
  }
  waiting_.push_back(*std::move(event));
  return true;
}

void WatchQueue::start(const Change& change, Object& shared) {
  std::optional<WatchEvent> event = seen(change, shared);
  if (!event) return;
  std::lock_guard lock(mutex_);
  waiting_.push_back(*std::move(event));
  ++maxWaiting_;
}

void WatchQueue::cancel(std::string why) {
  {
    std::lock_guard lock(mutex_);
    waiting_.clear();
    ended_ = Error{ErrorCode::cancelled, "watch: cancelled: " + std::move(why)};
  }
  ready_.notify_all();
}

Result<std::optional<WatchEvent>> WatchQueue::next(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  const Clock::time_point now = Clock::now();
  const Clock::time_point until = wait < end_ - now ? now + wait : end_;
  ready_.wait_until(lock, until, [this] { return ended_ || !waiting_.empty(); });
  if (ended_) return std::unexpected(*ended_);
  if (!waiting_.empty()) {
    WatchEvent event = std::move(waiting_.front());
    waiting_.pop_front();
    return event;
  }
  if (Clock::now() < end_) return std::nullopt;
  ended_ = Error{ErrorCode::timeout, "watch: timeout: the server ended the watch"};
  return std::unexpected(*ended_);
}

namespace {

class MemoryWatch final : public WatchStream {
 public:
  MemoryWatch(std::shared_ptr<WatchQueue> queue, FieldSelector fields, bool metadataOnly)
      : fields_(std::move(fields)), metadataOnly_(metadataOnly), queue_(std::move(queue)) {}
  Result<std::optional<WatchEvent>> next(std::chrono::milliseconds wait) override {
    const auto until = WatchQueue::Clock::now() + wait;
    while (true) {
      auto event = queue_->next(std::chrono::ceil<std::chrono::milliseconds>(until - WatchQueue::Clock::now()));
      if (!event || !*event || (*event)->type == WatchEvent::Type::bookmark) return event;
      if (!fields_.matches((*event)->object)) continue;  // fields that can be selected by do not change
      if (metadataOnly_) (*event)->object = metadataOf((*event)->object);
      return event;
    }
  }
  void cancel() override { queue_->cancel("stop was asked for"); }

 private:
  const FieldSelector fields_;
  const bool metadataOnly_;
  const std::shared_ptr<WatchQueue> queue_;
};

std::optional<std::uint64_t> number(const std::string& text) {
  if (text.empty()) return 0;
  if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoull(text);
}

}  // namespace

Result<std::unique_ptr<WatchStream>> MemoryCluster::State::watch(const Resource& resource, const WatchOptions& options) {
  const Attempt attempt{"watch", resource, {options.namespace_, ""}};
  auto selector = LabelSelector::parse(options.labelSelector);
  if (!selector) return attempt.fail(ErrorCode::badRequest, selector.error());
  auto fields = FieldSelector::parse(options.fieldSelector);
  if (!fields) return attempt.fail(ErrorCode::badRequest, fields.error());
  const std::optional<std::uint64_t> from = number(options.resourceVersion);
  if (!from) return attempt.fail(ErrorCode::badRequest, "resourceVersion: \"" + options.resourceVersion + "\" is no version");

  auto queue = std::make_shared<WatchQueue>(options.namespace_, *std::move(selector), WatchQueue::Clock::now() + options.timeout,
                                            options_.historyPerResource);
  Table& watched = table(resource);
  std::lock_guard lock(mutex_);
  if (stopped_) return std::unexpected(stoppedError(attempt));
  Object shared;
  if (*from == 0) {  // without a version: the present state first
    for (const auto& [key, stored] : watched.objects) {
      queue->start(Change{resourceVersion_, {}, stored.version->live(), false}, shared);
    }
  } else if (*from < watched.history.forgottenUpTo || *from > resourceVersion_) {
    return attempt.fail(ErrorCode::gone, "resourceVersion " + options.resourceVersion + " is not in the history; list again");
  } else {
    watched.history.replay(*from, [&](const Change& change) {
      shared = Object();
      queue->start(change, shared);
    });
  }
  watched.watches.push_back(queue);
  return std::make_unique<MemoryWatch>(std::move(queue), *std::move(fields), options.metadataOnly);
}

}  // namespace pilotlight::kube
