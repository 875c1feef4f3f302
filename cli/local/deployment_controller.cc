#include "cli/local/deployment_controller.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "cli/local/json_read.h"
#include "kube/informer.h"
#include "kube/workqueue.h"

namespace pilotlight::local {

using kube::Json;
using kube::Object;

namespace {

constexpr const char* kManager = "deployment-controller";
constexpr const char* kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";
constexpr std::size_t kMaxNameBase = 57;  // with "-" and five characters a DNS label of 63
constexpr int kNameTries = 8;

/// FNV-1a of the template; the members of a JSON object are sorted, so equal templates give equal text.
std::string templateHash(const Json& podTemplate) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : podTemplate.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211ULL;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return std::string(text).substr(0, 10);
}

/// Kubernetes' alphabet for generated names: no vowels, so no words.
std::string randomSuffix(std::mt19937& random) {
  constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::uniform_int_distribution<std::size_t> pick(0, alphabet.size() - 1);
  std::string out;
  for (int i = 0; i < 5; ++i) out += alphabet[pick(random)];
  return out;
}

std::string selectorOf(const Object& deployment) {
  std::string out;
  const Json* labels = deployment.at("/spec/selector/matchLabels");
  if (!labels || !labels->is_object()) return out;
  for (const auto& [name, value] : labels->items())
    if (value.is_string()) out += (out.empty() ? "" : ",") + name + "=" + value.get<std::string>();
  return out;
}

/// The controlling owner's reference; nullptr when there is none.
const Json* controllerOf(const Object& object) {
  const Json* metadata = object.at("/metadata");
  if (!metadata) return nullptr;
  for (const Json& owner : listMember(*metadata, "ownerReferences"))
    if (flagMember(owner, "controller")) return &owner;
  return nullptr;
}

bool finished(const Object& pod) {
  const std::string& phase = pod.stringAt("/status/phase");
  return phase == "Failed" || phase == "Succeeded";
}

std::int64_t deletionCost(const Object& pod) {
  const std::string& text = pod.annotation(kDeletionCost);
  std::int64_t cost = 0;
  std::from_chars(text.data(), text.data() + text.size(), cost);
  return cost;
}

Json podFrom(const Object& deployment, const std::string& hash) {
  const Json* podTemplate = deployment.at("/spec/template");
  const Json* metadata = member(*podTemplate, "metadata");
  const Json* labels = metadata ? member(*metadata, "labels") : nullptr;
  const Json* annotations = metadata ? member(*metadata, "annotations") : nullptr;
  const Json* spec = member(*podTemplate, "spec");
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"spec", spec ? *spec : Json::object()}};
  Json& meta = pod["metadata"];
  meta["namespace"] = deployment.namespace_();
  meta["labels"] = labels ? *labels : Json::object();
  meta["labels"][kLabelTemplateHash] = hash;
  if (annotations) meta["annotations"] = *annotations;
  meta["ownerReferences"] = Json::array({{{"apiVersion", kube::resources::deployments.apiVersion()},
                                          {"kind", kube::resources::deployments.kind},
                                          {"name", deployment.name()},
                                          {"uid", deployment.uid()},
                                          {"controller", true},
                                          {"blockOwnerDeletion", true}}});
  return pod;
}

/// A Deployment's Pods, without those that are being deleted.
struct Pods {
  std::vector<Object> current;  ///< made from the present template
  std::vector<Object> old;
  std::vector<Object> finished;  ///< ended for good
};

Json statusOf(const Object& deployment, const Pods& pods) {
  const auto ready = [](const std::vector<Object>& some) { return std::ranges::count_if(some, podReady); };
  const auto readyPods = ready(pods.current) + ready(pods.old);
  return {{"observedGeneration", deployment.generation()},
          {"replicas", pods.current.size() + pods.old.size()},
          {"updatedReplicas", pods.current.size()},
          {"readyReplicas", readyPods},
          {"availableReplicas", readyPods}};
}

bool sameStatus(const Object& deployment, const Json& wanted) {
  const Json* status = deployment.at("/status");
  return status && std::ranges::all_of(wanted.items(), [&](const auto& item) {
           const Json* present = member(*status, item.key().c_str());
           return present && *present == item.value();
         });
}

}  // namespace

bool podReady(const Object& pod) {
  const Json* status = pod.at("/status");
  if (!status) return false;
  return std::ranges::any_of(listMember(*status, "conditions"), [](const Json& condition) {
    return textMember(condition, "type") == "Ready" && textMember(condition, "status") == "True";
  });
}

void sortForDeletion(std::vector<Object>& pods) {
  const auto rank = [](const Object& pod) { return std::tuple(podReady(pod), deletionCost(pod)); };
  std::ranges::sort(pods, [&](const Object& a, const Object& b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    const std::string &createdA = a.stringAt("/metadata/creationTimestamp"), &createdB = b.stringAt("/metadata/creationTimestamp");
    return createdA != createdB ? createdA > createdB : a.name() < b.name();
  });
}

struct DeploymentController::Impl {
  Impl(kube::Client& client, DeploymentControllerOptions options);
  std::expected<void, std::string> start();
  void stop();

 private:
  void work();
  kube::Result<void> reconcile(const kube::Key& key);
  kube::Result<Pods> podsOf(const Object& deployment, const std::string& hash);
  kube::Result<void> createPods(const Object& deployment, const std::string& hash, std::vector<Object>& pods, std::size_t wanted);
  kube::Result<Object> createPod(const Object& deployment, Json& pod);
  kube::Result<void> deletePods(std::vector<Object>& pods, std::size_t count);

  kube::Client& client_;
  const DeploymentControllerOptions options_;
  kube::WorkQueue queue_;
  kube::Informer deployments_, pods_;
  std::thread worker_;
  std::mt19937 random_{std::random_device{}()};  // worker thread
};

DeploymentController::Impl::Impl(kube::Client& client, DeploymentControllerOptions options)
    : client_(client),
      options_(std::move(options)),
      deployments_(client, kube::resources::deployments),
      pods_(client, kube::resources::pods) {
  deployments_.addHandler([this](const Object&, const Object& after) {
    if (after) queue_.add(after.key());
  });
  pods_.addHandler([this](const Object& before, const Object& after) {
    const Object& pod = after ? after : before;
    const Json* owner = controllerOf(pod);
    if (owner && textMember(*owner, "kind") == kube::resources::deployments.kind)
      queue_.add({pod.namespace_(), textMember(*owner, "name")});
  });
}

std::expected<void, std::string> DeploymentController::Impl::start() {
  worker_ = std::thread([this] { work(); });
  deployments_.start();
  pods_.start();
  if (deployments_.waitForSync(options_.syncTimeout) && pods_.waitForSync(options_.syncTimeout)) return {};
  return std::unexpected("read deployments and pods: no answer from the API in time");
}

void DeploymentController::Impl::stop() {
  if (!worker_.joinable()) return;
  deployments_.stop();
  pods_.stop();
  queue_.shutDown();
  worker_.join();
}

void DeploymentController::Impl::work() {
  while (const auto key = queue_.take()) {
    const auto done = reconcile(*key);
    if (done) {
      queue_.forget(*key);
    } else {
      if (options_.onError) options_.onError(*key, done.error());
      queue_.addRateLimited(*key);
    }
    queue_.done(*key);
  }
}

kube::Result<void> DeploymentController::Impl::reconcile(const kube::Key& key) {
  const auto read = client_.get(kube::resources::deployments, key);
  if (!read && read.error().code == kube::ErrorCode::notFound) return {};
  if (!read) return std::unexpected(read.error());
  const Object& deployment = *read;
  const Json* podTemplate = deployment.at("/spec/template");
  if (deployment.deleting() || !podTemplate) return {};  // its Pods go with it
  const std::string hash = templateHash(*podTemplate);
  auto pods = podsOf(deployment, hash);
  if (!pods) return std::unexpected(pods.error());
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(deployment.intAt("/spec/replicas", 1), 0));

  if (auto created = createPods(deployment, hash, pods->current, wanted); !created) return created;
  if (pods->current.size() > wanted)
    if (auto removed = deletePods(pods->current, pods->current.size() - wanted); !removed) return removed;
  // As many old Pods stay as new ones are not yet ready.
  const auto readyNow = static_cast<std::size_t>(std::ranges::count_if(pods->current, podReady));
  const std::size_t keep = wanted - std::min(wanted, readyNow);
  if (pods->old.size() > keep)
    if (auto removed = deletePods(pods->old, pods->old.size() - keep); !removed) return removed;
  if (auto removed = deletePods(pods->finished, pods->finished.size()); !removed) return removed;

  const Json status = statusOf(deployment, *pods);
  if (sameStatus(deployment, status)) return {};
  const auto patched = client_.mergePatch(kube::resources::deployments, key, {{"status", status}}, kManager, "status");
  if (!patched && patched.error().code != kube::ErrorCode::notFound) return std::unexpected(patched.error());
  return {};
}

kube::Result<Pods> DeploymentController::Impl::podsOf(const Object& deployment, const std::string& hash) {
  kube::ListOptions options;
  options.namespace_ = deployment.namespace_();
  options.labelSelector = selectorOf(deployment);
  auto list = client_.list(kube::resources::pods, options);
  if (!list) return std::unexpected(list.error());
  Pods pods;
  for (Object& pod : list->items) {
    const Json* owner = controllerOf(pod);
    if (!owner || textMember(*owner, "uid") != deployment.uid() || pod.deleting()) continue;
    auto& group = finished(pod) ? pods.finished : pod.label(kLabelTemplateHash) == hash ? pods.current : pods.old;
    group.push_back(std::move(pod));
  }
  return pods;
}

kube::Result<void> DeploymentController::Impl::createPods(const Object& deployment, const std::string& hash, std::vector<Object>& pods,
                                                          std::size_t wanted) {
  if (pods.size() >= wanted) return {};
  Json pod = podFrom(deployment, hash);
  while (pods.size() < wanted) {
    auto created = createPod(deployment, pod);
    if (!created) return std::unexpected(created.error());
    pods.push_back(std::move(*created));
  }
  return {};
}

kube::Result<Object> DeploymentController::Impl::createPod(const Object& deployment, Json& pod) {
  for (int i = 0;; ++i) {
    pod["metadata"]["name"] = deployment.name().substr(0, kMaxNameBase) + "-" + randomSuffix(random_);
    auto created = client_.create(kube::resources::pods, pod, kManager);
    if (created || created.error().code != kube::ErrorCode::alreadyExists || i == kNameTries) return created;
  }
}

kube::Result<void> DeploymentController::Impl::deletePods(std::vector<Object>& pods, std::size_t count) {
  sortForDeletion(pods);
  const auto end = pods.begin() + static_cast<std::ptrdiff_t>(count);
  for (auto pod = pods.begin(); pod != end; ++pod) {
    const auto removed = client_.remove(kube::resources::pods, pod->key(), {.uid = pod->uid(), .resourceVersion = {}});
    const bool gone = removed || removed.error().code == kube::ErrorCode::notFound || removed.error().code == kube::ErrorCode::conflict;
    if (!gone) return removed;
  }
  pods.erase(pods.begin(), end);
  return {};
}

DeploymentController::DeploymentController(kube::Client& client, DeploymentControllerOptions options)
    : impl_(std::make_unique<Impl>(client, std::move(options))) {}

DeploymentController::~DeploymentController() {
  stop();
}

std::expected<void, std::string> DeploymentController::start() {
  auto started = impl_->start();
  if (!started) stop();
  return started;
}

void DeploymentController::stop() {
  impl_->stop();
}

}  // namespace pilotlight::local
