// Writes Kubernetes Events about Functions, off the callers' threads.
//
// The same thing said again raises the count of the event that said it, at most once a second; a burst waits in a queue
// of kQueue entries and is dropped beyond; of what this recorder wrote, the kKept newest events stay.
// Thread-safety: record() from any thread, never blocks; start() and stop() from one.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "core/plan.h"
#include "kube/client.h"
#include "operator/log.h"
#include "operator/metrics.h"

namespace pilotlight::op {

class EventRecorder {
 public:
  static constexpr std::size_t kQueue = 2000;
  static constexpr std::size_t kKept = 1000;

  EventRecorder(kube::Client& client, const Log& log, Metrics& metrics);
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;

  void start();
  void stop();  ///< writes what is queued for at most half a second; joins
  void record(const kube::Key& function, const std::string& uid, const core::PlannedEvent& event);

 private:
  struct Entry {
    kube::Key function;
    std::string uid;
    core::PlannedEvent event;
    std::chrono::system_clock::time_point at;
  };
  struct Written {
    std::string identity;
    kube::Key key;
    int count = 1;
    std::chrono::system_clock::time_point at;
  };
  void run();
  void write(const Entry& entry);
  void writeFirst(const Entry& entry, const std::string& identity);
  void writeAgain(const Entry& entry, Written& known);
  void forgetOldest();

  kube::Client& client_;
  const Log& log_;
  Metrics& metrics_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> queue_;  // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_

  // Of the recorder's thread only.
  std::list<Written> written_;  // oldest first
  std::map<std::string, std::list<Written>::iterator> byIdentity_;
  std::uint64_t serial_ = 0;

  std::thread thread_;
};

}  // namespace pilotlight::op
