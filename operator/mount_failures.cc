#include "operator/mount_failures.h"

namespace pilotlight::op {

namespace {

// What the kubelet says beside the cause, now and then: it names volumes, and no cause.
constexpr std::string_view kSummary = "Unable to attach or mount volumes";

kube::InformerOptions failedMounts(const std::string& namespace_) {
  kube::InformerOptions options;
  options.namespace_ = namespace_;
  options.fieldSelector = "involvedObject.kind=Pod,reason=FailedMount";
  options.keep = {"/involvedObject", "/message"};
  return options;
}

}  // namespace

MountFailures::MountFailures(kube::Client& client, const std::string& namespace_, std::function<void(const kube::Key&)> changed)
    : changed_(std::move(changed)), events_(client, kube::resources::events, failedMounts(namespace_)) {
  events_.addHandler([this](const kube::Object& before, const kube::Object& after) { eventChanged(before, after); });
}

// An Event ends long after what it tells of: it counts only while a pod's containers wait.
void MountFailures::eventChanged(const kube::Object& before, const kube::Object& after) {
  if (!after) {
    const std::scoped_lock lock(mutex_);
    byPod_.erase(before.stringAt("/involvedObject/uid"));
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    std::string& known = byPod_[after.stringAt("/involvedObject/uid")];
    const std::string& message = after.stringAt("/message");
    if (!known.empty() && message.starts_with(kSummary)) {
      return;
    }
    known = message;
  }
  changed_({after.stringAt("/involvedObject/namespace"), after.stringAt("/involvedObject/name")});
}

std::string MountFailures::of(const std::string& podUid) const {
  const std::scoped_lock lock(mutex_);
  const auto found = byPod_.find(podUid);
  return found == byPod_.end() ? "" : found->second;
}

}  // namespace pilotlight::op
