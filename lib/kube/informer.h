// List-then-watch of one resource into a store, after kube-rs' watcher and client-go's reflector.
//
// Expected flow: construct, addHandler()s, start(); waitForSync(); read from any thread; stop() (joins its thread).
// Guarantees: handlers see, in order and from one thread, every key whose object changed since they last saw it; after a
// relist, keys that went away in between are reported as deleted. A missed event costs a delay, never a wrong store.
// Caveats: intermediate states may be skipped; handlers must not block for long. stop() waits for a list or the opening of
// a watch that is under way, as long as its client may take; shutting the client down first ends it at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "kube/client.h"

namespace pilotlight::kube {

/// The last known objects of one resource. Thread-safe.
class Store {
 public:
  Object get(const Key& key) const;  ///< empty when absent
  std::vector<Object> list() const;
  /// Objects whose label has this (non-empty) value. From an index when the label is registered, else by looking at all.
  std::vector<Object> byLabel(const std::string& label, const std::string& value) const;
  std::size_t size() const;

  void indexLabel(std::string label);  ///< before the first write

 private:
  friend class Informer;
  Object put(const Object& object);  ///< returns the previous one
  Object erase(const Key& key);
  using Values = std::unordered_map<std::string, std::map<Key, Object>>;
  static void unindex(Values& values, const std::string& label, const Key& key, const Object& before);

  mutable std::shared_mutex mutex_;
  std::unordered_map<Key, Object, KeyHash> objects_;  // guarded by mutex_
  std::map<std::string, Values> byLabel_;             // guarded by mutex_
};

struct InformerOptions {
  std::string namespace_{};
  std::string labelSelector{};
  std::string fieldSelector{};
  bool metadataOnly = false;
  std::vector<std::string> indexedLabels{};
  /// What is kept of each object beside its identity, as in reduce.h; empty: everything. Keep the labels and annotations
  /// that are asked for. Handlers and the store see what is kept.
  std::vector<std::string> keep{};
  /// The store keeps the identity alone: for handlers that make something of their own of what they are told.
  bool storeIdentity = false;
  int pageSize = 500;  ///< of the list: what is parsed at once
  std::chrono::milliseconds watchTimeout{std::chrono::seconds(290)};
  std::chrono::milliseconds idleMargin{std::chrono::seconds(30)};  ///< a watch silent for watchTimeout + this is dead
  std::chrono::milliseconds backoffMin{std::chrono::milliseconds(100)};
  std::chrono::milliseconds backoffMax{std::chrono::seconds(10)};
};

class Informer {
 public:
  /// `before` is empty for a new object, `after` for a deleted one.
  using Handler = std::function<void(const Object& before, const Object& after)>;

  Informer(Client& client, Resource resource, InformerOptions options = {});
  ~Informer();
  Informer(const Informer&) = delete;

  void addHandler(Handler handler);  ///< before start()
  void start();
  void stop();  ///< idempotent; joins
  /// True once the first list is in the store and the handlers have seen it.
  bool waitForSync(std::chrono::milliseconds timeout);
  bool synced() const;
  const Store& store() const { return store_; }
  std::int64_t restarts() const;  ///< relists after the first

 private:
  struct Impl;
  Store store_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::kube
