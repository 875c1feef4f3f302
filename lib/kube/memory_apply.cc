#include <nlohmann/json.hpp>

#include "kube/memory_state.h"
#include "kube/meta.h"

namespace pilotlight::kube {

namespace {

/// What of the sent object is applied: everything but status, or status alone.
Json configOf(Json object, const Traits& traits, bool status) {
  dropNulls(object);
  if (status) {
    Json config = Json::object();
    if (object.contains("status")) config["status"] = std::move(object["status"]);
    return config;
  }
  if (traits.status) object.erase("status");
  dropSystemFields(object);
  return object;
}

}  // namespace

Result<Object> MemoryCluster::State::applyNew(const Attempt& attempt, const Json& config, const ApplyOptions& options,
                                              const Manager& manager) {
  Table& into = table(attempt.resource);
  Json next = {{"apiVersion", into.resource.apiVersion()}, {"kind", into.resource.kind}, {"metadata", Json::object()}};
  auto applied = applyConfig(next, {}, config, manager, options.force, into.shape);
  if (!applied) return attempt.fail(applied.error().code, applied.error().message);
  Draft draft{into, attempt, {}, {}, std::move(applied->object), std::move(applied->owners)};
  draft.dryRun = options.dryRun;
  return finishNew(std::move(draft));
}

Result<Object> MemoryCluster::State::apply(const Attempt& attempt, Json object, const ApplyOptions& options,
                                           const std::string& subresource) {
  std::lock_guard writing(writing_);
  if (stopped()) return std::unexpected(stoppedError(attempt));
  if (options.fieldManager.empty()) return attempt.fail(ErrorCode::invalid, "fieldManager: required for an apply");
  if (auto problem = shapeProblem(attempt.resource, object)) return attempt.fail(ErrorCode::badRequest, *problem);
  if (metaOf(object).contains("managedFields")) return attempt.fail(ErrorCode::badRequest, "metadata.managedFields: must be left out");
  if (attempt.key.name.empty()) return attempt.fail(ErrorCode::badRequest, "metadata.name: required");

  const bool status = !subresource.empty();
  const Manager manager{options.fieldManager, Manager::How::apply, subresource};
  const Traits traits = traitsOf(attempt.resource);
  if (status && !traits.status) return attempt.fail(ErrorCode::notFound, "there is no subresource status");
  auto draft = open(attempt);
  if (!draft && (draft.error().code != ErrorCode::notFound || status)) return std::unexpected(draft.error());
  if (!draft && !(metaString(object, "resourceVersion").empty() && metaString(object, "uid").empty())) {
    return attempt.fail(ErrorCode::conflict, "metadata.resourceVersion or uid is given, and no object exists");
  }
  if (!draft) return applyNew(attempt, configOf(std::move(object), traits, status), options, manager);

  if (auto stale = staleProblem(*draft, object, true)) return std::unexpected(*stale);
  const Json config = configOf(std::move(object), traits, status);
  auto applied = applyConfig(draft->live.json(), draft->liveOwners, config, manager, options.force, draft->table.shape);
  if (!applied) return attempt.fail(applied.error().code, applied.error().message);
  draft->next = std::move(applied->object);
  draft->owners = std::move(applied->owners);
  draft->status = status;
  draft->dryRun = options.dryRun;
  return finish(*std::move(draft));
}

}  // namespace pilotlight::kube
