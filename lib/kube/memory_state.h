// The inside of MemoryCluster.
//
// Two locks. `writing_` serialises writers: it is held while the next state of an object is worked out. `mutex_` guards
// what readers see and is held only to look up or to swap pointers. Order: writing_, mutex_, then a WatchQueue's own.
// A write publishes to the watches' queues under mutex_ (so that every watch sees the order of resourceVersions), wakes
// them after releasing it, and only then does its housekeeping.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kube/errors.h"
#include "kube/memory.h"
#include "kube/memory_watch.h"
#include "kube/ownership.h"
#include "kube/schema.h"
#include "kube/selector.h"

namespace pilotlight::kube {

/// In an API server's words: functions.pilotlight.dev "hello" not found.
inline std::unexpected<Error> missing(const Attempt& attempt) {
  const auto& resource = attempt.resource;
  return attempt.fail(ErrorCode::notFound,
                      resource.plural + (resource.group.empty() ? "" : "." + resource.group) + " \"" + attempt.key.name + "\" not found");
}

/// One stored object.
struct Stored {
  std::shared_ptr<Version> version;
  Ownership owners;
};

/// All objects of one resource.
struct Table {
  explicit Table(Resource named) : resource(std::move(named)), shape(shapeOf(resource)), traits(traitsOf(resource)) {}
  const Resource resource;
  const Shape& shape;
  const Traits traits;
  std::map<Key, Stored> objects;
  History history;
  std::vector<std::weak_ptr<WatchQueue>> watches;
};

struct MemoryCluster::State {
 public:
  explicit State(MemoryClusterOptions options);

  Result<Object> get(const Resource& resource, const Key& key);
  Result<ObjectList> list(const Resource& resource, const ListOptions& options);
  Result<std::unique_ptr<WatchStream>> watch(const Resource& resource, const WatchOptions& options);
  Result<Object> create(const Attempt& attempt, Json object, const std::string& fieldManager);
  Result<Object> update(const Attempt& attempt, Json object, const std::string& fieldManager);
  Result<Object> apply(const Attempt& attempt, Json object, const ApplyOptions& options, const std::string& subresource);
  Result<Object> mergePatch(const Attempt& attempt, const Json& patch, const std::string& fieldManager, const std::string& subresource);
  Result<Object> patchScale(const Attempt& attempt, int replicas, const std::string& resourceVersion, const std::string& fieldManager);
  Result<void> remove(const Attempt& attempt, const DeleteOptions& options);
  void shutdown();

 private:
  /// The next state of one object, on its way into the table.
  struct Draft {
    Table& table;
    const Attempt& attempt;
    Object live;  ///< empty: the object is new
    Ownership liveOwners;
    Json next;
    Ownership owners;
    bool status = false;  ///< a write of the status subresource
    bool dryRun = false;
  };
  struct Snapshot {
    std::uint64_t id;
    std::string resourceVersion;
    std::vector<Object> items;
  };
  struct Dependent {
    Table* table;
    Key key;
    auto operator<=>(const Dependent&) const = default;
  };

  // Everything below is called with writing_ held, unless said otherwise.

  // memory_commit.cc: what is stored, numbered and told to the watches.
  Table& table(const Resource& resource);  ///< any caller; takes mutex_
  const Stored* find(const Table& table, const Key& key) const;
  Object store(Table& table, const Key& key, Json object, Ownership owners);
  Object erase(Table& table, const Key& key);
  void publish(Table& table, Change change, const std::shared_ptr<Version>& obsolete, std::unique_lock<std::mutex> lock);
  void pack(Table& table, Version& version, const Object& live);  ///< after the newest change, which made it obsolete
  void index(Table& table, const Key& key, const Object& before, const Object& after);
  std::string newUid();

  // memory_write.cc
  Result<Draft> open(const Attempt& attempt);  ///< notFound when there is no such object
  Result<Object> finish(Draft draft);
  /// `creator` owns the whole object, its defaults included; nullptr: the draft's owners are set.
  Result<Object> finishNew(Draft draft, const Manager* creator = nullptr);
  Result<void> admit(Draft& draft);
  Result<Object> change(Draft draft, const Manager& manager);
  /// A patch (or apply) that names another uid tries to change it; an update is for another object.
  std::optional<Error> staleProblem(const Draft& draft, const Json& sent, bool patch) const;
  Result<Object> applyNew(const Attempt& attempt, const Json& config, const ApplyOptions& options, const Manager& manager);

  // memory_delete.cc, memory_gc.cc
  Result<void> removeOne(Table& table, const Attempt& attempt, const DeleteOptions& options);
  bool ownerLives(const Json& owner, const std::string& namespace_);
  void collectDependent(const Dependent& dependent);
  void collectGarbage();  ///< works off garbage_

  // memory_list.cc
  Result<ObjectList> nextPage(const Attempt& attempt, const ListOptions& options);

  Error stoppedError(const Attempt& attempt) const { return attempt.error(ErrorCode::cancelled, "the cluster is shut down"); }
  bool stopped();  ///< any caller; takes mutex_

  const MemoryClusterOptions options_;

  std::mutex writing_;
  std::mt19937_64 random_{std::random_device{}()};                   // guarded by writing_
  std::unordered_map<std::string, std::set<Dependent>> dependents_;  // guarded by writing_: by the owner's uid
  std::deque<Dependent> garbage_;                                    // guarded by writing_: to look at

  std::mutex mutex_;
  std::map<Resource, Table> tables_;  // guarded by mutex_; written with writing_ held too
  std::uint64_t resourceVersion_;     // the same
  std::deque<Snapshot> snapshots_;    // guarded by mutex_
  std::uint64_t nextSnapshot_ = 1;    // guarded by mutex_
  bool stopped_ = false;              // guarded by mutex_
};

}  // namespace pilotlight::kube
