// Which Secrets and ConfigMaps are there, in which revision, in the namespaces where that may be seen. Only their metadata are asked
// for, and of these only the identity is kept: annotations may hold values (kubectl's last-applied-configuration).
// Thread-safety: start(), stop() from one thread; the rest from any.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/sources.h"
#include "kube/informer.h"

namespace pilotlight::op {

class SourceCache {
 public:
  /// `namespaces`: "*" is all of them. `changed` is told of Functions that name what has changed.
  SourceCache(kube::Client& client, const std::vector<std::string>& namespaces, std::function<void(const kube::Key& function)> changed);

  /// Keeps which Function names what; empty `after`: it is gone.
  void functionChanged(const kube::Object& before, const kube::Object& after);
  core::SourceView view(const std::string& namespace_, const std::vector<core::Source>& sources) const;

  void start();
  void stop();
  /// Within `patience`; without the right to list them it never is.
  bool waitForSync(std::chrono::milliseconds patience);

 private:
  using Name = std::pair<std::string, core::Source>;  // namespace first
  struct Watched {
    kube::Informer secrets, configMaps;
  };
  const Watched* watched(const std::string& namespace_) const;
  void sourceChanged(core::SourceKind kind, const kube::Object& before, const kube::Object& after);

  const std::function<void(const kube::Key&)> changed_;
  std::map<std::string, std::unique_ptr<Watched>> watched_;  // by namespace, "" is all; constant after construction
  mutable std::mutex mutex_;
  std::map<Name, std::set<kube::Key>> users_;  // guarded by mutex_
};

}  // namespace pilotlight::op
