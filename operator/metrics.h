// The operator's own metrics, in Prometheus' text format. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "kube/types.h"

namespace pilotlight::op {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;

  /// `result`: success | conflict | error | invalid.
  void reconciled(const char* result, std::chrono::steady_clock::duration took);
  void scaled(const char* direction);  ///< up | down | to_zero
  void eventDropped();
  struct Replicas {
    int desired = 0;  ///< asked for
    int all = 0, warm = 0, parked = 0;
  };
  /// Of all versions.
  void setReplicas(const kube::Key& function, const Replicas& replicas);
  void forget(const kube::Key& function);
  void setQueueDepth(std::size_t depth);
  void setWatchRestarts(const std::string& resource, std::int64_t total);

  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::op
