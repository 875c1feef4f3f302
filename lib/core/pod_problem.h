// Why a pod does not get ready, out of its status: pure, for operator and gateway alike.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace pilotlight::core {

struct PodProblem {
  std::string reason{};   ///< Kubernetes' word: ImagePullBackOff, CrashLoopBackOff, Unschedulable, …; empty: there is none
  std::string message{};  ///< for people: what was said last, with exit code and last words of a container that ended
  /// Kubernetes tries again only after a while, and nothing else is awaited: who waits for this pod need not wait on.
  bool backedOff = false;
  explicit operator bool() const { return !reason.empty(); }
};

/// The pod's condition of this type (Ready, PodScheduled, …) is True.
bool podConditionIsTrue(const nlohmann::json& pod, std::string_view type);

/// `pod` is a Pod of the API. A pod that is ready, or is only starting, has no problem.
PodProblem podProblem(const nlohmann::json& pod);

/// Why a Deployment's pods can't even be made (a quota, a policy); "": they can.
std::string podsRefused(const nlohmann::json& deployment);

/// A container of it runs, the pod is not ready, and has no problem: its handler does not listen (yet).
bool runsUnready(const nlohmann::json& pod);

inline constexpr std::size_t kProblemBytes = 1024;  ///< of a message; what a container said last is shortened at its start

}  // namespace pilotlight::core
