#include "gateway/pod_news.h"

#include <algorithm>

namespace pilotlight::gateway {

void PodNews::tell(const std::string& uid, const std::string& pod, core::PodProblem problem, bool runsUnready) {
  std::lock_guard lock(mutex_);
  pods_[uid] = {pod, std::move(problem), runsUnready};
}

void PodNews::forget(const std::string& uid) {
  std::lock_guard lock(mutex_);
  pods_.erase(uid);
}

PodNews::Trouble PodNews::trouble() const {
  std::lock_guard lock(mutex_);
  Trouble worst;
  for (const auto& [uid, news] : pods_) {
    if (news.problem && (worst.reason.empty() || worst.reason == kNotListening || news.problem.backedOff))
      worst = {news.problem.reason,
               "pod " + news.pod + ": " + news.problem.reason + (news.problem.message.empty() ? "" : ": ") + news.problem.message, false};
    else if (news.runsUnready && worst.reason.empty())
      worst = {kNotListening, "pod " + news.pod + " runs, but its handler does not listen", false};
  }
  worst.hopeless = !pods_.empty() && std::ranges::all_of(pods_, [](const auto& item) { return item.second.problem.backedOff; });
  return worst;
}

}  // namespace pilotlight::gateway
