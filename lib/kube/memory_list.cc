#include <charconv>
#include <nlohmann/json.hpp>

#include "kube/memory_state.h"

namespace pilotlight::kube {

namespace {

/// Paged lists that may be under way at once; the oldest is forgotten first.
constexpr std::size_t kMaxSnapshots = 8;

struct Position {
  std::uint64_t snapshot = 0;
  std::size_t offset = 0;
};

std::optional<Position> parsePosition(const std::string& token) {
  Position position;
  const char* end = token.data() + token.size();
  const auto first = std::from_chars(token.data(), end, position.snapshot);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, position.offset);
  return second.ec == std::errc{} && second.ptr == end ? std::optional(position) : std::nullopt;
}

std::string token(Position position) {
  return std::to_string(position.snapshot) + "." + std::to_string(position.offset);
}

}  // namespace

Result<Object> MemoryCluster::State::get(const Resource& resource, const Key& key) {
  const Attempt attempt{"get", resource, key};
  const Table& from = table(resource);
  std::lock_guard lock(mutex_);
  if (stopped_) return std::unexpected(stoppedError(attempt));
  const Stored* stored = find(from, key);
  if (stored == nullptr) return missing(attempt);
  return stored->version->live();
}

Result<ObjectList> MemoryCluster::State::list(const Resource& resource, const ListOptions& options) {
  const Attempt attempt{"list", resource, {options.namespace_, ""}};
  if (options.limit < 0) return attempt.fail(ErrorCode::badRequest, "limit: must be at least 0");
  if (!options.continue_.empty()) return nextPage(attempt, options);
  const auto selector = LabelSelector::parse(options.labelSelector);
  if (!selector) return attempt.fail(ErrorCode::badRequest, selector.error());
  const auto fields = FieldSelector::parse(options.fieldSelector);
  if (!fields) return attempt.fail(ErrorCode::badRequest, fields.error());

  const Table& from = table(resource);
  ObjectList list;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return std::unexpected(stoppedError(attempt));
    list.resourceVersion = std::to_string(resourceVersion_);
    auto it = options.namespace_.empty() ? from.objects.begin() : from.objects.lower_bound(Key{options.namespace_, ""});
    for (; it != from.objects.end() && (options.namespace_.empty() || it->first.namespace_ == options.namespace_); ++it) {
      list.items.push_back(it->second.version->live());
    }
  }
  if (!selector->empty()) std::erase_if(list.items, [&](const Object& object) { return !selector->matches(object); });
  if (!fields->empty()) std::erase_if(list.items, [&](const Object& object) { return !fields->matches(object); });
  if (options.metadataOnly) std::ranges::transform(list.items, list.items.begin(), metadataOf);

  const auto limit = static_cast<std::size_t>(options.limit);
  if (limit == 0 || list.items.size() <= limit) return list;
  std::lock_guard lock(mutex_);
  const Position rest{nextSnapshot_++, limit};
  snapshots_.push_back({rest.snapshot, list.resourceVersion, list.items});
  if (snapshots_.size() > kMaxSnapshots) snapshots_.pop_front();
  list.items.resize(limit);
  list.continue_ = token(rest);
  return list;
}

Result<ObjectList> MemoryCluster::State::nextPage(const Attempt& attempt, const ListOptions& options) {
  const std::optional<Position> position = parsePosition(options.continue_);
  if (!position) return attempt.fail(ErrorCode::badRequest, "continue: not a token of this server");
  std::lock_guard lock(mutex_);
  if (stopped_) return std::unexpected(stoppedError(attempt));
  const auto snapshot = std::ranges::find(snapshots_, position->snapshot, &Snapshot::id);
  if (snapshot == snapshots_.end()) return attempt.fail(ErrorCode::gone, "the continue token has expired; list again");

  const std::size_t total = snapshot->items.size();
  const std::size_t begin = std::min(position->offset, total);
  const std::size_t end = options.limit == 0 ? total : std::min(total, begin + static_cast<std::size_t>(options.limit));
  ObjectList page;
  page.resourceVersion = snapshot->resourceVersion;
  page.items.assign(snapshot->items.begin() + static_cast<std::ptrdiff_t>(begin),
                    snapshot->items.begin() + static_cast<std::ptrdiff_t>(end));
  if (end < total) {
    page.continue_ = token({position->snapshot, end});
  } else {
    snapshots_.erase(snapshot);
  }
  return page;
}

}  // namespace pilotlight::kube
