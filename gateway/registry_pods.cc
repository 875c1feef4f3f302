// What the registry makes of pods, and of shims that call home.
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/pod_problem.h"
#include "gateway/owners.h"
#include "gateway/registry.h"

namespace pilotlight::gateway {

namespace {

bool ended(const kube::Object& pod) {
  const std::string& phase = pod.stringAt("/status/phase");
  return pod.deleting() || phase == "Failed" || phase == "Succeeded";
}

kube::Key functionOf(const kube::Object& pod) {
  return {pod.namespace_(), pod.label(api::kLabelFunction)};
}

std::int64_t versionOf(const kube::Object& pod) {
  const std::string& text = pod.label(api::kLabelVersion);
  std::int64_t version = 0;
  std::from_chars(text.data(), text.data() + text.size(), version);
  return version;
}

/// What a watch tells now for the first time has happened now, as far as can be known.
void note(core::ColdStartEnds& seen, const kube::Object& pod, core::ColdStartTime now) {
  using Phase = core::ColdStartPhase;
  const auto first = [&](Phase phase, bool happened) {
    if (happened && !seen[phase]) seen[phase] = now;
  };
  first(Phase::podCreated, true);
  first(Phase::scheduled, core::podConditionIsTrue(pod.json(), "PodScheduled"));
  first(Phase::sandbox, core::podConditionIsTrue(pod.json(), "PodReadyToStartContainers"));
}

bool sameIp(const kube::Object& pod, const net::Address& address) {
  const std::string& ip = pod.stringAt("/status/podIP");
  if (ip.empty() || ip == address.ip) return true;
  const kube::Json* all = pod.at("/status/podIPs");
  return all && all->is_array() && std::ranges::any_of(*all, [&](const kube::Json& one) { return one.value("ip", "") == address.ip; });
}

/// nullopt: it speaks of this pod.
std::optional<Registry::Registered> objection(const Registration& registration, const kube::Object& pod) {
  using enum Registry::Registered;
  if (pod.namespace_() != registration.namespace_ || pod.name() != registration.pod) return contradicts;
  if (!registration.function.empty() && registration.function != pod.label(api::kLabelFunction)) return foreign;
  if (ended(pod) || !sameIp(pod, registration.address)) return contradicts;
  return std::nullopt;
}

}  // namespace

void Registry::markUp(const KnownPod& known, const net::Address& address, const Pending* told) {
  using Phase = core::ColdStartPhase;
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    entry = entryOf(functionOf(known.pod));
  }
  core::ColdStartEnds ends = known.seen;
  ends[Phase::patched] = entry->raisedAt();
  ends[Phase::registered] = Clock::now();
  if (told && told->registration.begun) ends[Phase::container] = told->came - *told->registration.begun;
  if (told && told->registration.listening) ends[Phase::listening] = told->came - *told->registration.listening;
  const bool parked = told && told->registration.parked;
  entry->up(known.pod.uid(), known.pod.name(), versionOf(known.pod), address, ends, parked);
  if (entry->limited()) hooks_.look(entry);
  if (!parked) return;
  hooks_.forget(address);  // a native host waits for that before it ends
  hooks_.wake(entry);
}

void Registry::onPod(const kube::Object& before, const kube::Object& after) {
  if (!after || ended(after)) return onPodGone(after ? after : before, !after);
  std::optional<Pending> kept;
  std::shared_ptr<FunctionEntry> entry;
  KnownPod known;
  {
    std::lock_guard lock(mutex_);
    KnownPod& stored = podsByUid_[after.uid()];
    stored.pod = after;
    note(stored.seen, after, Clock::now());
    known = stored;
    if (const auto found = pending_.find(after.uid()); found != pending_.end()) {
      kept = std::move(found->second);
      pending_.erase(found);
    }
    entry = entryOf(functionOf(after));
  }
  entry->pods().tell(after.uid(), after.name(), versionOf(after), core::podProblem(after.json()), core::runsUnready(after.json()));
  const std::string& ip = after.stringAt("/status/podIP");
  if (const auto address = entry->addressOf(after.uid()); address && !sameIp(after, *address)) {
    hooks_.log("a replica called from an address that is not its pod's; it is dropped", after.key(), address->ip + " rather than " + ip);
    entry->down(after.uid());
  }
  const bool ready = core::podConditionIsTrue(after.json(), "Ready"), wasReady = before && core::podConditionIsTrue(before.json(), "Ready");
  if (kept && objection(kept->registration, after))
    hooks_.log("a replica that called home is not this pod", after.key(), kept->registration.address.toString());
  else if (kept)
    return markUp(known, kept->registration.address, &*kept);
  if (ready && !wasReady && !ip.empty()) return markUp(known, {ip, api::kShimPort}, nullptr);
  if (!wasReady || ready) return;
  entry->down(after.uid());
  hooks_.wake(entry);
}

void Registry::onPodGone(const kube::Object& pod, bool deleted) {
  const kube::Key function = functionOf(pod);
  std::shared_ptr<FunctionEntry> entry;
  {
    std::lock_guard lock(mutex_);
    if (deleted)
      podsByUid_.erase(pod.uid());
    else
      podsByUid_[pod.uid()].pod = pod;
    pending_.erase(pod.uid());
    if (const auto found = entries_.find(function); found != entries_.end()) entry = found->second;
  }
  if (!entry) return;
  entry->pods().forget(pod.uid());
  if (!deleted && mayRun(pod))
    entry->down(pod.uid());
  else
    entry->gone(pod.uid());
  hooks_.wake(entry);
  if (const std::string& ip = pod.stringAt("/status/podIP"); !ip.empty()) hooks_.forget({ip, api::kShimPort});
  std::lock_guard lock(mutex_);
  dropEntryIfUnused(function);
}

Registry::Registered Registry::registerShim(const Registration& registration) {
  const auto now = Clock::now();
  const Pending told{registration, now, now + pendingBounds_.time};
  KnownPod known;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = podsByUid_.find(registration.uid); found != podsByUid_.end()) {
      known = found->second;
    } else {
      std::erase_if(pending_, [&](const auto& item) { return item.second.until < now; });
      if (pending_.size() >= pendingBounds_.most) return Registered::full;
      pending_[registration.uid] = told;
      return Registered::kept;
    }
  }
  if (const auto refused = objection(registration, known.pod)) return *refused;
  markUp(known, registration.address, &told);
  return Registered::taken;
}

}  // namespace pilotlight::gateway
