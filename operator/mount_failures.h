// Why pods wait for their volumes: the kubelet tells that in Events alone. Without the right to read those it is not known.
// Thread-safety: start(), stop() from one thread; the rest from any.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "kube/informer.h"

namespace pilotlight::op {

class MountFailures {
 public:
  /// `changed` is told of pods of which there is something new.
  MountFailures(kube::Client& client, const std::string& namespace_, std::function<void(const kube::Key& pod)> changed);
  void start() { events_.start(); }
  void stop() { events_.stop(); }
  std::string of(const std::string& podUid) const;  ///< empty: nothing is known

 private:
  void eventChanged(const kube::Object& before, const kube::Object& after);

  const std::function<void(const kube::Key&)> changed_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> byPod_;  // guarded by mutex_: messages by uid
  kube::Informer events_;
};

}  // namespace pilotlight::op
