#include "fixture.h"

#include "api/api.h"

namespace pilotlight::op::testing {

namespace resources = kube::resources;
using Clock = std::chrono::steady_clock;

namespace {

kube::MemoryClusterOptions clusterOptions(const std::atomic<bool>& admitting) {
  kube::MemoryClusterOptions options;
  options.admit = [&admitting](const Json& object) -> std::expected<Json, std::string> {
    if (!admitting) {
      return object;
    }
    auto admitted = api::admit(object);
    if (!admitted) {
      return std::unexpected(api::toString(admitted.error()));
    }
    return *admitted;
  };
  return options;
}

}  // namespace

std::vector<core::FunctionLoad> FakeLoad::loads() const {
  ++calls_;
  const std::scoped_lock lock(mutex_);
  std::vector<core::FunctionLoad> all;
  for (auto& [name, entry] : entries_) {
    const auto now = Clock::now();
    const int load = entry.load.inFlight + entry.load.queued;
    entry.load.concurrencyMillis += load * std::chrono::duration_cast<milliseconds>(now - entry.since).count();
    entry.since = now;
    if (load > 0) {
      entry.load.lastActive = now;
    }
    all.push_back(entry.load);
  }
  return all;
}

void FakeLoad::onDemand(std::function<void(const std::string&, const std::string&)> listener) {
  const std::scoped_lock lock(mutex_);
  listener_ = std::move(listener);
}

void FakeLoad::set(const std::string& name, int inFlight, int queued) {
  loads();
  const std::scoped_lock lock(mutex_);
  auto& entry = entries_.try_emplace(name, Entry{{.namespace_ = "default", .name = name}, Clock::now()}).first->second;
  entry.load.inFlight = inFlight;
  entry.load.queued = queued;
  if (inFlight + queued > 0) {
    entry.load.lastActive = Clock::now();
  }
}

void FakeLoad::demand(const std::string& name) {
  std::function<void(const std::string&, const std::string&)> listener;
  {
    const std::scoped_lock lock(mutex_);
    listener = listener_;
  }
  listener("default", name);
}

FakeNode::FakeNode(kube::Client& client) : client_(client), thread_([this] { run(); }) {}

FakeNode::~FakeNode() {
  stop_ = true;
  thread_.join();
}

void FakeNode::crash(const std::string& image) {
  const std::scoped_lock lock(mutex_);
  crashing_.insert(image);
}

void FakeNode::run() {
  while (!stop_) {
    if (const auto deployments = client_.list(resources::deployments)) {
      for (const auto& deployment : deployments->items) {
        runDeployment(deployment);
      }
    }
    const auto routes = client_.list(resources::functionRoutes);
    for (std::size_t i = 0; acknowledge_ && routes && i < routes->items.size(); ++i) {
      acknowledge(routes->items[i]);
    }
    std::this_thread::sleep_for(milliseconds(2));  // the pace of this node; nothing depends on it
  }
}

void FakeNode::runDeployment(const kube::Object& deployment) {
  const auto wanted = deployment.intAt("/spec/replicas", 1);
  const std::string image = deployment.stringAt("/spec/template/spec/containers/0/image");
  bool crashes = false;
  {
    const std::scoped_lock lock(mutex_);
    crashes = crashing_.contains(image);
  }
  const auto pods = client_.list(resources::pods, {.namespace_ = "default"});
  if (!pods) {
    return;
  }
  std::set<std::string> present;
  for (const auto& pod : pods->items) {
    if (pod.label("pod-of") == deployment.name()) {
      present.insert(pod.name());
    }
  }
  for (int i = 0; i < wanted; ++i) {
    if (!present.erase(deployment.name() + "-" + std::to_string(i))) {
      runPod(deployment, i, crashes);
    }
  }
  for (const auto& name : present) {
    (void)client_.remove(resources::pods, {"default", name}, {.gracePeriodSeconds = 0});
  }
}

void FakeNode::runPod(const kube::Object& deployment, int index, bool crashes) {
  Json pod{{"apiVersion", "v1"}, {"kind", "Pod"}, {"spec", Json::object()}};
  pod["metadata"] = {{"name", deployment.name() + "-" + std::to_string(index)},
                     {"namespace", "default"},
                     {"labels", *deployment.at("/spec/template/metadata/labels")}};
  pod["metadata"]["labels"]["pod-of"] = deployment.name();
  const auto made = client_.create(resources::pods, pod, "node");
  if (!made) {
    return;
  }
  Json container{{"name", "function"}};
  if (crashes) {
    container["state"]["waiting"] = {{"reason", "CrashLoopBackOff"}, {"message", "back-off 10s restarting failed container"}};
  }
  const Json ready{{"type", "Ready"}, {"status", crashes ? "False" : "True"}};
  const Json status{{"conditions", Json::array({ready})}, {"containerStatuses", Json::array({container})}};
  (void)client_.mergePatch(resources::pods, made->key(), {{"status", status}}, "node", "status");
}

void FakeNode::acknowledge(const kube::Object& route) {
  const Json ack{{"gateway", "gateway-0"}, {"observedGeneration", route.generation()}};
  if (route.intAt("/status/gateways/0/observedGeneration", -1) < route.generation()) {
    const Json status{{"gateways", Json::array({ack})}};
    (void)client_.mergePatch(resources::functionRoutes, route.key(), {{"status", status}}, "gateway", "status");
  }
}

OperatorTest::OperatorTest() : cluster_(clusterOptions(admitting_)) {
  options_.localPaths = true;
  options_.urlBase = "http://127.0.0.1:8080";
  options_.autoscaleTick = milliseconds(20);
  options_.stableWindow = milliseconds(1000);
  options_.panicWindow = milliseconds(200);
  options_.logLevel = "debug";
  options_.log = [this](std::string_view line) {
    const std::scoped_lock lock(linesMutex_);
    lines_.emplace_back(line);
  };
  node_ = std::make_unique<FakeNode>(cluster_);
}

OperatorTest::~OperatorTest() {
  operator_.reset();
  node_.reset();
  if (HasFailure()) {
    for (const auto& line : lines_) {
      std::cerr << line << "\n";
    }
  }
}

void OperatorTest::startOperator() {
  operator_ = std::make_unique<Operator>(cluster_, load_, options_);
  const auto started = operator_->start();
  ASSERT_TRUE(started) << started.error();
}

void OperatorTest::applyFunction(const std::string& name, const Json& overrides) {
  Json function{{"apiVersion", api::kApiVersion}, {"kind", "Function"}, {"metadata", {{"name", name}, {"namespace", "default"}}}};
  function["spec"] = {{"image", "one"}, {"runtime", "http"}, {"handler", {"/server"}}, {"scale", {{"initial", 1}, {"toZeroAfter", "1h"}}}};
  function["spec"].merge_patch(overrides);
  const auto applied = cluster_.apply(resources::functions, function, {.fieldManager = "test", .force = true});
  ASSERT_TRUE(applied) << applied.error().message;
}

kube::Object OperatorTest::get(const kube::Resource& resource, const std::string& name) {
  return cluster_.get(resource, {"default", name}).value_or(kube::Object{});
}

Json OperatorTest::spec(const kube::Resource& resource, const std::string& name) {
  const auto object = get(resource, name);
  return object && object.at("/spec") != nullptr ? *object.at("/spec") : Json();
}

Json OperatorTest::condition(const std::string& function, const std::string& type) {
  const auto object = get(resources::functions, function);
  const auto* conditions = object ? object.at("/status/conditions") : nullptr;
  if (conditions != nullptr) {
    for (const auto& each : *conditions) {
      if (each["type"] == type) {
        return each;
      }
    }
  }
  return {{"status", ""}, {"reason", ""}, {"message", ""}};
}

bool OperatorTest::isReady(const std::string& function) {
  const auto object = get(resources::functions, function);
  return object && object.intAt("/status/observedGeneration") == object.generation() && condition(function, "Ready")["status"] == "True";
}

int OperatorTest::replicas(const std::string& deployment) {
  const auto object = get(resources::deployments, deployment);
  return object ? static_cast<int>(object.intAt("/spec/replicas", 1)) : -1;
}

std::int64_t OperatorTest::serving(const std::string& function) {
  const auto route = get(resources::functionRoutes, function);
  return route ? route.intAt("/spec/backends/0/version") : 0;
}

std::set<std::string> OperatorTest::eventReasons(const std::string& function) {
  std::set<std::string> reasons;
  const auto events = cluster_.list(resources::events, {});
  for (std::size_t i = 0; events && i < events->items.size(); ++i) {
    if (events->items[i].stringAt("/involvedObject/name") == function) {
      reasons.insert(events->items[i].stringAt("/reason"));
    }
  }
  return reasons;
}

::testing::AssertionResult OperatorTest::eventually(const std::function<bool()>& holds) {
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (Clock::now() > deadline) {
      return ::testing::AssertionFailure() << "not within ten seconds";
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  return ::testing::AssertionSuccess();
}

}  // namespace pilotlight::op::testing
