#include <algorithm>
#include <nlohmann/json.hpp>

#include "kube/memory_state.h"
#include "kube/meta.h"

namespace pilotlight::kube {

namespace {

constexpr int kDefaultPodGrace = 30;

/// Seconds that the object stays after the deletion was asked for, finalizers apart.
int graceOf(const Table& table, const Object& object, const DeleteOptions& options) {
  if (!table.traits.graceful) return 0;
  const std::string& phase = object.stringAt("/status/phase");
  if (phase == "Succeeded" || phase == "Failed") return 0;
  const auto own = static_cast<int>(object.intAt("/spec/terminationGracePeriodSeconds", kDefaultPodGrace));
  return std::max(0, options.gracePeriodSeconds.value_or(own));
}

std::optional<std::string> preconditionProblem(const Object& object, const DeleteOptions& options) {
  if (!options.uid.empty() && options.uid != object.uid()) {
    return "Precondition failed: UID in precondition: " + options.uid + ", UID in object meta: " + object.uid();
  }
  if (!options.resourceVersion.empty() && options.resourceVersion != object.resourceVersion()) {
    return "Precondition failed: ResourceVersion in precondition: " + options.resourceVersion +
           ", ResourceVersion in object meta: " + object.resourceVersion();
  }
  return std::nullopt;
}

}  // namespace

Result<void> MemoryCluster::State::remove(const Attempt& attempt, const DeleteOptions& options) {
  std::lock_guard writing(writing_);
  if (stopped()) return std::unexpected(stoppedError(attempt));
  auto removed = removeOne(table(attempt.resource), attempt, options);
  collectGarbage();
  return removed;
}

Result<void> MemoryCluster::State::removeOne(Table& table, const Attempt& attempt, const DeleteOptions& options) {
  const Stored* stored = find(table, attempt.key);
  if (stored == nullptr) return missing(attempt);
  const Object live = stored->version->live();
  if (auto problem = preconditionProblem(live, options)) return attempt.fail(ErrorCode::conflict, *problem);

  const int grace = graceOf(table, live, options);
  if (grace == 0 && !hasFinalizers(live.json())) {
    erase(table, attempt.key);
    return {};
  }
  // A second deletion can only shorten the first one's grace.
  const bool first = !live.deleting();
  if (!first && grace >= live.intAt("/metadata/deletionGracePeriodSeconds")) return {};
  Json next = live.json();
  Json& meta = next["metadata"];
  const auto now = options_.now ? options_.now() : std::chrono::system_clock::now();
  meta["deletionTimestamp"] = timestamp(now + std::chrono::seconds(grace));
  meta["deletionGracePeriodSeconds"] = grace;
  if (first && table.traits.generation) meta["generation"] = live.generation() + 1;
  store(table, attempt.key, std::move(next), stored->owners);
  return {};
}

}  // namespace pilotlight::kube
