#include "operator/warmth_loop.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/api.h"
#include "api/shim_contract.h"
#include "core/render.h"
#include "operator/gather.h"

namespace pilotlight::op {

namespace resources = kube::resources;

struct WarmthLoop::Seen {
  kube::Object pod;
  core::WarmthPod state;
  net::Address shim;
};

namespace {

constexpr const char* kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

std::vector<core::WarmthPod> statesOf(const auto& pods) {
  std::vector<core::WarmthPod> states;
  for (const auto& pod : pods) {
    states.push_back(pod.state);
  }
  return states;
}

std::string textOf(int cost) {
  return cost == 0 ? "" : std::to_string(cost);
}

kube::Json orNull(const std::string& text) {
  return text.empty() ? kube::Json() : kube::Json(text);
}

}  // namespace

WarmthLoop::WarmthLoop(kube::Client& client, const Caches& caches, const Log& log, WarmthOptions options)
    : client_(client), caches_(caches), log_(log), options_(options), shims_(options.shimTimeout) {}

WarmthLoop::~WarmthLoop() {
  stop();
}

void WarmthLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void WarmthLoop::stop() {
  queue_.shutDown();
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::vector<WarmthLoop::Seen> WarmthLoop::podsOf(const kube::Object& deployment) const {
  std::vector<Seen> pods;
  for (auto& object : caches_.ownedBy(caches_.pods, functionOf(deployment))) {
    const core::PodState state = podState(object);
    if (state.deleting || object.label(api::kLabelVersion) != deployment.label(api::kLabelVersion)) {
      continue;
    }
    net::Address shim{object.stringAt("/status/podIP"), api::kShimPort};
    core::WarmthPod known{.name = state.name,
                          .created = object.stringAt("/metadata/creationTimestamp"),
                          .parked = state.parked,
                          .ready = state.ready && !shim.ip.empty()};
    pods.push_back({std::move(object), std::move(known), shim});
  }
  return pods;
}

bool WarmthLoop::want(const kube::Object& deployment, const Wanted& wanted) {
  const auto pods = podsOf(deployment);
  const auto states = statesOf(pods);
  const auto plan = core::planWarmth(states, wanted.lit, wanted.parked);
  const auto costs = core::deletionCosts(states, wanted.parked);
  bool settled = plan.light.empty() && plan.parkCount == 0;
  for (std::size_t i = 0; i < pods.size(); ++i) {
    settled = settled && pods[i].pod.annotation(kDeletionCost) == textOf(costs[i]);
  }
  if (settled && !(wanted.look && std::ranges::any_of(states, &core::WarmthPod::parked))) {
    return true;
  }
  {
    const std::scoped_lock lock(mutex_);
    wanted_.insert_or_assign(deployment.key(), wanted);
  }
  queue_.add(deployment.key());
  return settled;
}

void WarmthLoop::run() {
  while (const auto key = queue_.take()) {
    std::optional<Wanted> wanted;
    {
      const std::scoped_lock lock(mutex_);
      if (auto found = wanted_.extract(*key)) {
        wanted = found.mapped();
      }
    }
    if (wanted) {
      pass(*key, *wanted);
    }
    queue_.done(*key);
  }
}

void WarmthLoop::pass(const kube::Key& key, const Wanted& wanted) {
  const kube::Object deployment = caches_.deployments.store().get(key);
  if (!deployment) {
    return;
  }
  auto pods = podsOf(deployment);
  if (wanted.look) {
    look(pods);
  }
  const auto plan = core::planWarmth(statesOf(pods), wanted.lit, wanted.parked);
  light(pods, plan);
  park(pods, plan);
  record(deployment, pods, wanted.parked);
}

// Who does not answer is left as it is recorded.
void WarmthLoop::look(std::vector<Seen>& pods) {
  std::vector<Seen*> asked;
  std::vector<ShimCalls::Question> questions;
  for (auto& pod : pods) {
    if (pod.state.parked && !pod.shim.ip.empty()) {
      asked.push_back(&pod);
      questions.push_back({pod.shim, "GET", contract::kShimReadyz});
    }
  }
  const auto answers = shims_.ask(questions);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].status == 200 && answers[i].body.starts_with("ok")) {
      asked[i]->state.parked = false;
    }
  }
}

void WarmthLoop::light(std::vector<Seen>& pods, const core::WarmthPlan& plan) {
  std::vector<Seen*> asked;
  std::vector<ShimCalls::Question> questions;
  for (auto& pod : pods) {
    if (std::ranges::find(plan.light, pod.state.name) != plan.light.end() && !pod.shim.ip.empty()) {
      asked.push_back(&pod);
      questions.push_back({pod.shim, "POST", contract::kShimLight});
    }
  }
  const auto answers = shims_.ask(questions);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].status == 200) {  // one that takes longer is told again, and then is lit already
      asked[i]->state.parked = false;
    }
  }
}

// One after the other: one that has a request now is passed over, and no more than needed are parked.
void WarmthLoop::park(std::vector<Seen>& pods, const core::WarmthPlan& plan) {
  int left = plan.parkCount;
  for (const auto& name : plan.park) {
    if (left == 0) {
      return;
    }
    auto& pod = *std::ranges::find(pods, name, [](const Seen& seen) { return seen.state.name; });
    if (shims_.ask({{pod.shim, "POST", contract::kShimPark}}).front().status == 202) {
      pod.state.parked = true;
      --left;
    }
  }
}

void WarmthLoop::record(const kube::Object& deployment, const std::vector<Seen>& pods, int parked) {
  const auto costs = core::deletionCosts(statesOf(pods), parked);
  for (std::size_t i = 0; i < pods.size(); ++i) {
    const Seen& seen = pods[i];
    const std::string restarts = seen.state.parked ? std::to_string(restartCount(seen.pod)) : "";
    const std::string cost = textOf(costs[i]);
    const bool changed = seen.pod.annotation(api::kAnnotationParked) != restarts;
    if ((!changed && seen.pod.annotation(kDeletionCost) == cost) || (changed && !resize(deployment, seen))) {
      continue;
    }
    const kube::Json patch{
        {"metadata",
         {{"uid", seen.pod.uid()}, {"annotations", {{api::kAnnotationParked, orNull(restarts)}, {kDeletionCost, orNull(cost)}}}}}};
    const auto written = client_.mergePatch(resources::pods, seen.pod.key(), patch, api::kManagerOperator);
    if (!written && written.error().code != kube::ErrorCode::notFound && written.error().code != kube::ErrorCode::conflict) {
      log_.error("pod's warmth not recorded", {{"pod", seen.pod.key().toString()}, {"error", written.error().message}});
    } else if (written && changed) {
      log_.info(seen.state.parked ? "replica parked" : "replica lit",
                {{"function", functionOf(seen.pod).toString()}, {"pod", seen.pod.name()}});
    }
  }
}

// False: try again, the API was not to be had.
bool WarmthLoop::resize(const kube::Object& deployment, const Seen& seen) {
  const kube::Object version = options_.resize ? caches_.versions.store().get(deployment.key()) : kube::Object{};
  if (!version) {
    return true;
  }
  const auto parsed = api::readFunctionVersion(version.json());
  if (!parsed) {
    return true;  // the reconciler says so
  }
  const auto pod = client_.get(resources::pods, seen.pod.key());
  const auto resized =
      !pod ? pod
           : client_.mergePatch(resources::pods, seen.pod.key(), core::renderResize(pod->json(), parsed->spec.resources, seen.state.parked),
                                api::kManagerOperator, "resize");
  if (resized) {
    return true;
  }
  const auto code = resized.error().code;
  if (code == kube::ErrorCode::unavailable || code == kube::ErrorCode::timeout || code == kube::ErrorCode::cancelled) {
    return false;
  }
  // A cluster before 1.33 has no such subresource; a quota may have no room. It serves with what it has.
  log_.warn("pod not resized", {{"pod", seen.pod.key().toString()}, {"error", resized.error().message}});
  return true;
}

}  // namespace pilotlight::op
