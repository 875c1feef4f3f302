#include "gateway/pod_news.h"

namespace pilotlight::gateway {

namespace {

/// How much a pod tells of why nothing comes.
template <class News>
int rank(const News& news) {
  return news.problem.backedOff ? 3 : news.problem ? 2 : news.runsUnready ? 1 : 0;
}

}  // namespace

void PodNews::tell(const std::string& uid, const std::string& pod, std::int64_t version, core::PodProblem problem, bool runsUnready) {
  std::lock_guard lock(mutex_);
  pods_[uid] = {pod, version, std::move(problem), runsUnready};
}

void PodNews::forget(const std::string& uid) {
  std::lock_guard lock(mutex_);
  pods_.erase(uid);
}

void PodNews::refused(std::int64_t version, std::string why) {
  std::lock_guard lock(mutex_);
  refusedVersion_ = version;
  refused_ = std::move(why);
}

bool PodNews::empty() const {
  std::lock_guard lock(mutex_);
  return pods_.empty();
}

PodNews::Trouble PodNews::trouble(std::int64_t version) const {
  std::lock_guard lock(mutex_);
  const News* worst = nullptr;
  bool every = true;
  for (const auto& [uid, news] : pods_) {
    if (news.version != version) continue;
    every = every && news.problem.backedOff;
    if (worst == nullptr || rank(news) > rank(*worst)) worst = &news;
  }
  if (worst == nullptr && !refused_.empty() && refusedVersion_ == version) return {kFailedCreate, "no pod can be made: " + refused_, false};
  if (worst == nullptr || rank(*worst) == 0) return {};
  if (!worst->problem) return {kNotListening, "pod " + worst->pod + " runs, but its handler does not listen", false};
  const auto& [reason, message, backedOff] = worst->problem;
  return {reason, "pod " + worst->pod + ": " + reason + (message.empty() ? "" : ": ") + message, every};
}

}  // namespace pilotlight::gateway
