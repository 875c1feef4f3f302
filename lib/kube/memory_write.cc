#include <nlohmann/json.hpp>

#include "kube/memory_state.h"
#include "kube/merge.h"
#include "kube/meta.h"

namespace pilotlight::kube {

namespace {

constexpr std::string_view kStale =
    "the object has been modified; please apply your changes to the latest version and try again (metadata.resourceVersion is not current)";

Manager updater(const std::string& fieldManager, std::string subresource = "") {
  return {fieldManager.empty() ? "unknown" : fieldManager, Manager::How::update, std::move(subresource)};
}

/// The member as it is in `live`: what this write may not touch.
void keepMember(Json& object, const Json& live, const char* name) {
  if (const auto found = live.find(name); found != live.end()) {
    object[name] = *found;
  } else {
    object.erase(name);
  }
}

/// Anything but metadata and status.
bool specDiffers(const Json& a, const Json& b) {
  const auto covers = [](const Json& one, const Json& other) {
    for (const auto& [name, value] : one.items()) {
      const auto found = other.find(name);
      if (name != "metadata" && name != "status" && (found == other.end() || *found != value)) return false;
    }
    return true;
  };
  return !covers(a, b) || !covers(b, a);
}

/// The few defaults of built-in kinds that the product meets.
void addDefaults(const Resource& resource, Json& object) {
  if (resource != resources::deployments || !object.contains("spec") || !object["spec"].is_object()) return;
  if (!object["spec"].contains("replicas")) object["spec"]["replicas"] = 1;  // absent means 1, also after an apply dropped it
}

bool gainsFinalizer(const Json& live, const Json& next) {
  const Json& before = metaOf(live).value("finalizers", Json::array());
  const Json after = metaOf(next).value("finalizers", Json::array());
  return std::ranges::any_of(after, [&](const Json& name) { return std::ranges::find(before, name) == before.end(); });
}

}  // namespace

Result<MemoryCluster::State::Draft> MemoryCluster::State::open(const Attempt& attempt) {
  if (stopped()) return std::unexpected(stoppedError(attempt));
  Table& from = table(attempt.resource);
  const Stored* stored = find(from, attempt.key);
  if (stored == nullptr) return missing(attempt);
  return Draft{from, attempt, stored->version->live(), stored->owners, Json(), stored->owners};
}

std::optional<Error> MemoryCluster::State::staleProblem(const Draft& draft, const Json& sent, bool patch) const {
  const std::string& version = metaString(sent, "resourceVersion");
  if (!version.empty() && version != draft.live.resourceVersion()) return draft.attempt.error(ErrorCode::conflict, kStale);
  const std::string& uid = metaString(sent, "uid");
  if (!uid.empty() && uid != draft.live.uid()) {
    if (patch) return draft.attempt.error(ErrorCode::invalid, "metadata.uid: Invalid value: \"" + uid + "\": field is immutable");
    return draft.attempt.error(ErrorCode::conflict,
                               "Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + draft.live.uid());
  }
  return std::nullopt;
}

Result<void> MemoryCluster::State::admit(Draft& draft) {
  addDefaults(draft.table.resource, draft.next);
  if (!options_.admit) return {};
  auto admitted = options_.admit(draft.next);
  if (!admitted) return draft.attempt.fail(ErrorCode::invalid, admitted.error());
  keepMember(*admitted, draft.next, "metadata");
  keepMember(*admitted, draft.next, "status");
  draft.next = *std::move(admitted);
  return {};
}

Result<Object> MemoryCluster::State::finish(Draft draft) {
  const Json& live = draft.live.json();
  if (!draft.status) {
    keepSystemFields(draft.next, live);
    if (draft.table.traits.status) keepMember(draft.next, live, "status");
    if (auto admitted = admit(draft); !admitted) return std::unexpected(admitted.error());
    if (auto problem = shapeProblem(draft.table.resource, draft.next)) return draft.attempt.fail(ErrorCode::badRequest, *problem);
  }
  const bool deleting = draft.live.deleting();
  if (deleting && gainsFinalizer(live, draft.next)) {
    return draft.attempt.fail(ErrorCode::invalid, "metadata.finalizers: no new finalizers can be added if the object is being deleted");
  }
  const bool same = draft.next == live;
  if (same && draft.owners == draft.liveOwners) return draft.live;
  if (draft.dryRun) return Object(std::move(draft.next));
  if (deleting && !hasFinalizers(draft.next) && metaInt(live, "deletionGracePeriodSeconds") == 0) {
    Object last = erase(draft.table, draft.attempt.key);
    collectGarbage();
    return last;
  }
  if (!draft.status && draft.table.traits.generation && specDiffers(live, draft.next)) {
    draft.next["metadata"]["generation"] = draft.live.generation() + 1;
  }
  Object stored = store(draft.table, draft.attempt.key, std::move(draft.next), std::move(draft.owners));
  collectGarbage();
  return stored;
}

Result<Object> MemoryCluster::State::finishNew(Draft draft, const Manager* creator) {
  Json& object = draft.next;
  const Key& key = draft.attempt.key;
  if (auto problem = nameProblem(draft.table.resource, key.name)) return draft.attempt.fail(ErrorCode::invalid, *problem);
  const std::string generateName = metaString(object, "generateName");
  keepSystemFields(object, Json::object());
  Json& meta = object["metadata"];
  meta["name"] = key.name;
  meta["namespace"] = key.namespace_;
  if (!generateName.empty()) meta["generateName"] = generateName;
  meta["uid"] = newUid();
  meta["creationTimestamp"] = timestamp(options_.now ? options_.now() : std::chrono::system_clock::now());
  if (draft.table.traits.generation) meta["generation"] = 1;
  if (draft.table.traits.status) object.erase("status");
  if (draft.table.resource == resources::pods) object["status"]["phase"] = "Pending";
  if (auto admitted = admit(draft); !admitted) return std::unexpected(admitted.error());
  if (creator != nullptr) {
    Json owned = object;
    if (draft.table.traits.status) owned.erase("status");
    dropSystemFields(owned);
    if (!owned.empty()) draft.owners.set(*creator, fieldsOf(owned, draft.table.shape));
  }
  if (draft.dryRun) return Object(std::move(object));
  Object stored = store(draft.table, key, std::move(object), std::move(draft.owners));
  collectGarbage();
  return stored;
}

Result<Object> MemoryCluster::State::create(const Attempt& attempt, Json object, const std::string& fieldManager) {
  std::lock_guard writing(writing_);
  if (stopped()) return std::unexpected(stoppedError(attempt));
  if (auto problem = shapeProblem(attempt.resource, object)) return attempt.fail(ErrorCode::badRequest, *problem);
  if (!metaString(object, "resourceVersion").empty()) {
    return attempt.fail(ErrorCode::badRequest, "resourceVersion should not be set on objects to be created");
  }
  dropNulls(object);
  Table& into = table(attempt.resource);
  Attempt named{attempt.verb, into.resource, attempt.key};
  const std::string generateName = metaString(object, "generateName").substr(0, 58);
  if (named.key.name.empty() && generateName.empty())
    return attempt.fail(ErrorCode::invalid, "metadata.name: name or generateName is required");
  while (named.key.name.empty() || (attempt.key.name.empty() && find(into, named.key) != nullptr)) {
    constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";  // no vowels, no words
    named.key.name = generateName;
    for (int i = 0; i < 5; ++i) named.key.name += kLetters[random_() % kLetters.size()];
  }
  if (find(into, named.key) != nullptr) return named.fail(ErrorCode::alreadyExists, "an object of this name exists");

  const Manager creator = updater(fieldManager);
  return finishNew(Draft{into, named, {}, {}, std::move(object), {}}, &creator);
}

/// Stores `draft.next`; `manager` owns what differs from the live object.
Result<Object> MemoryCluster::State::change(Draft draft, const Manager& manager) {
  const Json& live = draft.live.json();
  keepSystemFields(draft.next, live);
  if (draft.table.traits.status && !draft.status) keepMember(draft.next, live, "status");
  const Difference difference = compare(live, draft.next, draft.table.shape);
  draft.owners.updated(manager, difference.changed, difference.removed);
  return finish(std::move(draft));
}

Result<Object> MemoryCluster::State::update(const Attempt& attempt, Json object, const std::string& fieldManager) {
  std::lock_guard writing(writing_);
  if (auto problem = shapeProblem(attempt.resource, object)) return attempt.fail(ErrorCode::badRequest, *problem);
  auto draft = open(attempt);
  if (!draft) return std::unexpected(draft.error());
  if (draft->table.traits.custom && metaString(object, "resourceVersion").empty()) {
    return attempt.fail(ErrorCode::invalid, "metadata.resourceVersion: must be specified for an update");
  }
  if (auto stale = staleProblem(*draft, object, false)) return std::unexpected(*stale);
  dropNulls(object);
  draft->next = std::move(object);
  addDefaults(draft->table.resource, draft->next);
  return change(*std::move(draft), updater(fieldManager));
}

Result<Object> MemoryCluster::State::mergePatch(const Attempt& attempt, const Json& patch, const std::string& fieldManager,
                                                const std::string& subresource) {
  std::lock_guard writing(writing_);
  if (!patch.is_object()) return attempt.fail(ErrorCode::badRequest, "a merge patch must be a map");
  auto draft = open(attempt);
  if (!draft) return std::unexpected(draft.error());
  if (!subresource.empty() && !(subresource == "status" && draft->table.traits.status)) {
    return attempt.fail(ErrorCode::notFound, "there is no subresource " + subresource);
  }
  if (auto stale = staleProblem(*draft, patch, true)) return std::unexpected(*stale);
  draft->status = subresource == "status";
  draft->next = draft->live.json();
  draft->next.merge_patch(patch);
  if (auto problem = shapeProblem(attempt.resource, draft->next)) return attempt.fail(ErrorCode::badRequest, *problem);
  if (metaString(draft->next, "name") != attempt.key.name) return attempt.fail(ErrorCode::badRequest, "metadata.name: can't be changed");
  dropNulls(draft->next);
  if (draft->status) {
    Json next = draft->live.json();
    keepMember(next, draft->next, "status");
    draft->next = std::move(next);
  }
  return change(*std::move(draft), updater(fieldManager, subresource));
}

Result<Object> MemoryCluster::State::patchScale(const Attempt& attempt, int replicas, const std::string& resourceVersion,
                                                const std::string& fieldManager) {
  std::lock_guard writing(writing_);
  auto draft = open(attempt);
  if (!draft) return std::unexpected(draft.error());
  if (!draft->table.traits.scale) return attempt.fail(ErrorCode::notFound, "there is no subresource scale");
  if (replicas < 0) return attempt.fail(ErrorCode::invalid, "spec.replicas: must be greater than or equal to 0");
  if (!resourceVersion.empty() && resourceVersion != draft->live.resourceVersion()) return attempt.fail(ErrorCode::conflict, kStale);
  draft->next = draft->live.json();
  Json& spec = draft->next["spec"];
  if (!spec.is_object()) spec = Json::object();
  spec["replicas"] = replicas;
  // The subresource's managed fields are those that touch replicas; without any, the server does not begin to track them.
  const FieldSet touched = fieldsOf({{"spec", {{"replicas", replicas}}}}, draft->table.shape);
  const bool tracked = !draft->owners.ofOthers({}).intersect(touched).empty();
  auto stored = tracked ? change(*std::move(draft), updater(fieldManager, "scale")) : finish(*std::move(draft));
  if (!stored) return stored;
  Json scale = {{"apiVersion", "autoscaling/v1"},
                {"kind", "Scale"},
                {"metadata",
                 {{"name", stored->name()},
                  {"namespace", stored->namespace_()},
                  {"uid", stored->uid()},
                  {"resourceVersion", stored->resourceVersion()}}},
                {"spec", {{"replicas", replicas}}},
                {"status", {{"replicas", stored->intAt("/status/replicas")}}}};
  return Object(std::move(scale));
}

}  // namespace pilotlight::kube
