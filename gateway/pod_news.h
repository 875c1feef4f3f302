// What the API says of a function's pods that live, for requests that wait for one of them. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "core/pod_problem.h"

namespace pilotlight::gateway {

/// Kubernetes' word for it, in events and conditions of what should have made the pod.
inline constexpr const char* kFailedCreate = "FailedCreate";
/// The reason for which there is no word of Kubernetes'.
inline constexpr const char* kNotListening = "NotListening";

class PodNews {
 public:
  /// `runsUnready`: its handler does not listen, and nothing is known to be wrong.
  void tell(const std::string& uid, const std::string& pod, std::int64_t version, core::PodProblem problem, bool runsUnready);
  void forget(const std::string& uid);
  /// Its Deployment can't make pods: why; "": it can.
  void refused(std::int64_t version, std::string why);
  bool empty() const;  ///< no pod is known

  struct Trouble {
    std::string reason, message;  ///< of the pod that tells most; reason empty: nothing is known to be wrong
    bool hopeless = false;        ///< there are pods, and every one has backed off: to wait on is of no use
  };
  Trouble trouble(std::int64_t version) const;  ///< with pods of this one

 private:
  struct News {
    std::string pod;
    std::int64_t version = 0;
    core::PodProblem problem;
    bool runsUnready = false;
  };
  mutable std::mutex mutex_;
  std::map<std::string, News> pods_;  // by uid; guarded by mutex_, as the next
  std::int64_t refusedVersion_ = 0;
  std::string refused_;
};

}  // namespace pilotlight::gateway
