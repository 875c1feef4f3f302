#include "cli/local/log_store.h"

#include <algorithm>
#include <utility>

namespace pilotlight::local {

namespace {

std::size_t cost(const LogStore::Line& line) {
  return sizeof(LogStore::Line) + line.pod.size() + line.text.size();
}

}  // namespace

LogStore::LogStore(LogStoreOptions options) : options_(options) {}

void LogStore::append(const kube::Key& function, std::string pod, bool isStderr, std::string_view line) {
  Line entry{0, std::chrono::system_clock::now(), std::move(pod), isStderr, {}};
  const std::size_t most = std::min(options_.bytesPerFunction, options_.bytesInAll);
  const std::size_t fixed = cost(entry);
  entry.text = line.substr(0, most > fixed ? most - fixed : 0);
  {
    std::lock_guard lock(mutex_);
    entry.sequence = ++lastSequence_;
    Ring& ring = rings_[function];
    const std::size_t size = cost(entry);
    while (!ring.lines.empty() && ring.bytes + size > options_.bytesPerFunction) dropOldest(ring, function);
    if (ring.lines.empty()) byAge_.emplace(entry.sequence, function);
    ring.lines.push_back(std::move(entry));
    ring.bytes += size;
    bytes_ += size;
    while (bytes_ > options_.bytesInAll) {
      const kube::Key oldest = byAge_.begin()->second;
      const auto found = rings_.find(oldest);
      dropOldest(found->second, oldest);
      if (found->second.lines.empty()) rings_.erase(found);
    }
  }
  std::lock_guard lock(subscribersMutex_);
  for (const auto& [id, onAppend] : subscribers_) onAppend();
}

void LogStore::dropOldest(Ring& ring, const kube::Key& function) {
  const std::size_t size = cost(ring.lines.front());
  byAge_.erase(ring.lines.front().sequence);
  ring.lines.pop_front();
  ring.bytes -= size;
  bytes_ -= size;
  ++ring.dropped;
  if (!ring.lines.empty()) byAge_.emplace(ring.lines.front().sequence, function);
}

std::vector<LogStore::Line> LogStore::read(const kube::Key& function, std::uint64_t afterSequence, std::size_t maxLines) const {
  std::lock_guard lock(mutex_);
  const auto found = rings_.find(function);
  if (found == rings_.end()) return {};
  const auto& lines = found->second.lines;
  const auto first = std::upper_bound(lines.begin(), lines.end(), afterSequence,
                                      [](std::uint64_t sequence, const Line& line) { return sequence < line.sequence; });
  const auto count = std::min<std::size_t>(maxLines, static_cast<std::size_t>(lines.end() - first));
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

std::vector<LogStore::Line> LogStore::tail(const kube::Key& function, std::size_t maxLines) const {
  std::lock_guard lock(mutex_);
  const auto found = rings_.find(function);
  if (found == rings_.end()) return {};
  const auto& lines = found->second.lines;
  return {lines.end() - static_cast<std::ptrdiff_t>(std::min(maxLines, lines.size())), lines.end()};
}

std::uint64_t LogStore::dropped(const kube::Key& function) const {
  std::lock_guard lock(mutex_);
  const auto found = rings_.find(function);
  return found == rings_.end() ? 0 : found->second.dropped;
}

std::size_t LogStore::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

int LogStore::subscribe(std::function<void()> onAppend) {
  std::lock_guard lock(subscribersMutex_);
  subscribers_.emplace(++lastSubscriber_, std::move(onAppend));
  return lastSubscriber_;
}

void LogStore::unsubscribe(int id) {
  std::lock_guard lock(subscribersMutex_);
  subscribers_.erase(id);
}

}  // namespace pilotlight::local
