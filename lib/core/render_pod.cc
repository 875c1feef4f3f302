// The pod template's spec: the shim as the container's command, the handler as its arguments.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/api.h"
#include "api/shim_contract.h"
#include "core/render.h"

namespace pilotlight::core {

namespace {

constexpr std::int64_t kNobody = 65532;
constexpr const char* kShimVolume = "pilotlight-shim";
constexpr const char* kScratchVolume = "tmp";
// What a shim without its handler needs, with room to spare: it was measured to take 1.3 MiB.
constexpr api::MilliCpu kParkedCpu{1};
constexpr api::Bytes kParkedMemory{8LL << 20};

const char* runtimeName(api::Runtime runtime) {
  switch (runtime) {
    case api::Runtime::native:
      return "native";
    case api::Runtime::http:
      return "http";
    case api::Runtime::exec:
      return "exec";
  }
  return "";
}

// Names are unique in a container's env (it is a list merged by name): a later value replaces an earlier one.
class Environment {
 public:
  void set(const std::string& name, Json entry) {
    entry["name"] = name;
    for (auto& known : list_) {
      if (known["name"] == name) {
        known = std::move(entry);
        return;
      }
    }
    list_.push_back(std::move(entry));
  }
  void setValue(const std::string& name, const std::string& value) { set(name, {{"value", value}}); }
  void setField(const std::string& name, const std::string& path) { set(name, {{"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}}); }
  Json take() { return std::move(list_); }

 private:
  Json list_ = Json::array();
};

// Paths hold no ':' (Format::absolutePath).
std::string watchedFolders(const api::FunctionVersionSpec& spec) {
  std::string folders;
  for (const auto* mounts : {&spec.secrets, &spec.config}) {
    for (const auto& mount : *mounts) {
      if (mount.onChange == api::OnChange::signal) {
        folders += (folders.empty() ? "" : ":") + mount.path;
      }
    }
  }
  return folders;
}

Json renderValueFrom(const api::EnvVarSource& source) {
  const auto key = [](const api::KeyRef& ref) { return Json{{"name", ref.name}, {"key", ref.key}}; };
  return source.secretKeyRef ? Json{{"secretKeyRef", key(*source.secretKeyRef)}} : Json{{"configMapKeyRef", key(*source.configMapKeyRef)}};
}

Json renderEnv(const api::Function& function, const api::FunctionVersionSpec& spec, const RenderOptions& options,
               const std::string& callHomeKey) {
  Environment env;
  // The root is read-only; /dev/shm is there without the cost of a volume.
  env.setValue("TMPDIR", spec.resources.ephemeral ? "/tmp" : "/dev/shm");
  for (const auto& variable : spec.env) {
    if (variable.valueFrom) {
      env.set(variable.name, {{"valueFrom", renderValueFrom(*variable.valueFrom)}});
    } else {
      env.setValue(variable.name, variable.value);
    }
  }
  // The contract with the shim comes last: the user's variables can't break it.
  env.setValue(contract::kEnvFunction, function.metadata.name);
  env.setValue(contract::kEnvNamespace, function.metadata.namespace_);
  env.setValue(contract::kEnvVersion, std::to_string(spec.number));
  env.setValue(contract::kEnvRuntime, runtimeName(spec.runtime));
  env.setValue(contract::kEnvProtocol, spec.protocol == api::Protocol::h2c ? "h2c" : "http1");
  env.setValue(contract::kEnvConcurrency, std::to_string(spec.perReplica));
  env.setValue(contract::kEnvTimeoutMs, std::to_string(spec.timeout.count()));
  env.setValue(contract::kEnvGraceMs, std::to_string((spec.timeout + api::Duration(kDrainMargin)).count()));
  env.setValue(contract::kEnvGateways, options.gateways);
  if (const std::string folders = watchedFolders(spec); !folders.empty()) {
    env.setValue(contract::kEnvWatch, folders);
  }
  env.setField(contract::kEnvPodUid, "metadata.uid");
  env.setField(contract::kEnvPodName, "metadata.name");
  env.setField(contract::kEnvPodIps, "status.podIPs");
  if (!callHomeKey.empty()) {
    env.setValue(contract::kEnvCallHomeKey, callHomeKey);
  }
  if (spec.runtime == api::Runtime::http) {
    if (const auto port = spec.pod.port ? spec.pod.port : options.handlerPort) {
      env.setValue(contract::kEnvHandlerPort, std::to_string(*port));
    }
    if (!spec.pod.readyPath.empty()) {
      env.setValue(contract::kEnvReadyPath, spec.pod.readyPath);
    }
  }
  return env.take();
}

Json renderEnvFrom(const api::FunctionVersionSpec& spec) {
  Json from = Json::array();
  for (const auto& secret : spec.secrets) {
    if (secret.env) {
      from.push_back({{"secretRef", {{"name", secret.name}}}});
    }
  }
  for (const auto& config : spec.config) {
    if (config.env) {
      from.push_back({{"configMapRef", {{"name", config.name}}}});
    }
  }
  return from;
}

struct Volumes {
  Json volumes = Json::array();
  Json mounts = Json::array();

  void add(const std::string& name, const std::string& path, Json source, bool readOnly) {
    source["name"] = name;
    volumes.push_back(std::move(source));
    mounts.push_back({{"name", name}, {"mountPath", path}, {"readOnly", readOnly}});
  }
};

Volumes renderVolumes(const api::FunctionVersionSpec& spec, const RenderOptions& options) {
  Volumes all;
  for (std::size_t i = 0; i < spec.secrets.size(); ++i) {
    if (!spec.secrets[i].env) {
      all.add("secret-" + std::to_string(i), spec.secrets[i].path, {{"secret", {{"secretName", spec.secrets[i].name}}}}, true);
    }
  }
  for (std::size_t i = 0; i < spec.config.size(); ++i) {
    if (!spec.config[i].env) {
      all.add("config-" + std::to_string(i), spec.config[i].path, {{"configMap", {{"name", spec.config[i].name}}}}, true);
    }
  }
  if (spec.resources.ephemeral) {
    all.add(kScratchVolume, "/tmp", {{"emptyDir", {{"sizeLimit", api::formatBytes(*spec.resources.ephemeral)}}}}, false);
  }
  if (!shimInImage(spec.pod, options)) {
    all.add(kShimVolume, kShimDirectory, {{"emptyDir", Json::object()}}, true);
  }
  return all;
}

Json containerSecurity() {
  return {{"allowPrivilegeEscalation", false}, {"readOnlyRootFilesystem", true}, {"capabilities", {{"drop", Json::array({"ALL"})}}}};
}

Json renderProbe(const char* path, int periodSeconds, int timeoutSeconds, int failureThreshold) {
  return {{"httpGet", {{"path", path}, {"port", kShimPortName}}},
          {"periodSeconds", periodSeconds},
          {"timeoutSeconds", timeoutSeconds},
          {"failureThreshold", failureThreshold}};
}

Json renderContainer(const api::Function& function, const api::FunctionVersionSpec& spec, const RenderOptions& options,
                     const std::string& callHomeKey, Json mounts) {
  Json container{{"name", kFunctionContainer},
                 {"image", spec.image},
                 {"command", Json::array({kShimPath})},
                 {"args", spec.handler},
                 {"env", renderEnv(function, spec, options, callHomeKey)},
                 {"ports", Json::array({{{"name", kShimPortName}, {"containerPort", api::kShimPort}, {"protocol", "TCP"}}})},
                 {"resources", renderResources(spec.resources)},
                 {"securityContext", containerSecurity()},
                 {"readinessProbe", renderProbe(contract::kShimReadyz, 2, 2, 2)},
                 {"livenessProbe", renderProbe(contract::kShimHealthz, 10, 5, 3)},
                 // What it said last is then in the pod's status, which gateway and operator may read; its log they may not.
                 {"terminationMessagePolicy", "FallbackToLogsOnError"}};
  if (Json from = renderEnvFrom(spec); !from.empty()) {
    container["envFrom"] = std::move(from);
  }
  if (!mounts.empty()) {
    container["volumeMounts"] = std::move(mounts);
  }
  return container;
}

// The shim image's own program copies itself: that image needs no shell.
Json renderShimCopy(const RenderOptions& options) {
  Json mount{{"name", kShimVolume}, {"mountPath", kShimDirectory}};
  Json resources{{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}}, {"limits", {{"memory", "64Mi"}}}};
  return {{"name", "shim"},
          {"image", options.shimImage},
          {"command", Json::array({"/pilotlight-shim", "--install", kShimDirectory})},
          {"resources", std::move(resources)},
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"securityContext", containerSecurity()},
          {"volumeMounts", Json::array({std::move(mount)})}};
}

Json renderToleration(const api::Toleration& toleration) {
  Json json = Json::object();
  const auto set = [&json](const char* field, const std::string& value) {
    if (!value.empty()) {
      json[field] = value;
    }
  };
  set("key", toleration.key);
  set("operator", toleration.operator_);
  set("value", toleration.value);
  set("effect", toleration.effect);
  return json;
}

// Apart where that is possible; one node alone still runs them all. For every Function: if it came and went with scale.min, a
// change of that would replace the replicas.
// Zones are no second constraint: the scheduler takes nodes that lack one of the labels out of the whole scoring, and where no node has
// a zone, replicas would not be spread at all.
void renderSpread(const api::Function& function, Json& pod) {
  const Json replicas{{"matchLabels", {{api::kLabelFunction, function.metadata.name}}}};
  pod["topologySpreadConstraints"] = Json::array({{{"topologyKey", "kubernetes.io/hostname"},
                                                   {"maxSkew", 1},
                                                   {"whenUnsatisfiable", "ScheduleAnyway"},
                                                   {"labelSelector", replicas},
                                                   {"matchLabelKeys", Json::array({"pod-template-hash"})}}});
  const Json otherZone{{"weight", 100}, {"podAffinityTerm", {{"topologyKey", "topology.kubernetes.io/zone"}, {"labelSelector", replicas}}}};
  pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] = Json::array({otherZone});
}

void renderPlacement(const api::PodOptions& options, Json& pod) {
  if (!options.nodeSelector.empty()) {
    pod["nodeSelector"] = options.nodeSelector;
  }
  for (const auto& toleration : options.tolerations) {
    pod["tolerations"].push_back(renderToleration(toleration));
  }
  for (const auto& secret : options.imagePullSecrets) {
    pod["imagePullSecrets"].push_back({{"name", secret}});
  }
}

}  // namespace

bool shimInImage(const api::PodOptions& pod, const RenderOptions& options) {
  const auto it = pod.annotations.find(kAnnotationShimInImage);
  return !options.copyShim || (it != pod.annotations.end() && it->second == "true");
}

// Memory is requested in full and capped. CPU is requested but not capped: a cap throttles a start just when it matters.
Json renderResources(const api::Resources& resources, bool parked) {
  const auto cpu = parked ? std::min(kParkedCpu, resources.cpu) : resources.cpu;
  const auto memory = parked ? std::min(kParkedMemory, resources.memory) : resources.memory;
  Json requests{{"cpu", api::formatCpu(cpu)}, {"memory", api::formatBytes(memory)}};
  Json limits{{"memory", api::formatBytes(resources.memory)}};
  if (resources.ephemeral) {
    requests["ephemeral-storage"] = limits["ephemeral-storage"] = api::formatBytes(*resources.ephemeral);
  }
  return {{"requests", std::move(requests)}, {"limits", std::move(limits)}};
}

Json renderResize(const Json& pod, const api::Resources& resources, bool parked) {
  Json containers = pod.value("/spec/containers"_json_pointer, Json::array());
  for (auto& container : containers) {
    if (container.value("name", "") == kFunctionContainer) {
      container["resources"] = renderResources(resources, parked);
    }
  }
  return {{"metadata", {{"uid", pod.value("/metadata/uid"_json_pointer, "")}}}, {"spec", {{"containers", std::move(containers)}}}};
}

Json renderPodSpec(const api::Function& function, const api::FunctionVersion& version, const RenderOptions& options,
                   const std::string& callHomeKey) {
  const auto& spec = version.spec;
  const std::int64_t user = spec.pod.runAsUser.value_or(kNobody);
  const auto timeout = std::chrono::ceil<std::chrono::seconds>(spec.timeout);
  Volumes volumes = renderVolumes(spec, options);
  Json security{{"runAsNonRoot", user != 0}, {"runAsUser", user}, {"seccompProfile", {{"type", "RuntimeDefault"}}}};
  Json pod{{"serviceAccountName", spec.pod.serviceAccountName.empty() ? ownedName(function) : spec.pod.serviceAccountName},
           {"automountServiceAccountToken", spec.pod.serviceAccountToken.value_or(false)},
           {"enableServiceLinks", false},
           {"terminationGracePeriodSeconds", (timeout + kTerminationMargin).count()},
           {"securityContext", std::move(security)},
           {"containers", Json::array({renderContainer(function, spec, options, callHomeKey, std::move(volumes.mounts))})}};
  if (!volumes.volumes.empty()) {
    pod["volumes"] = std::move(volumes.volumes);
  }
  if (!shimInImage(spec.pod, options)) {
    pod["initContainers"] = Json::array({renderShimCopy(options)});
  }
  renderSpread(function, pod);
  renderPlacement(spec.pod, pod);
  return pod;
}

std::string callHomeKeyOf(const Json& deployment) {
  static const Json::json_pointer kContainers("/spec/template/spec/containers");
  if (!deployment.contains(kContainers)) {
    return "";
  }
  for (const Json& container : deployment[kContainers]) {
    for (const Json& variable : container.value("env", Json::array())) {
      if (variable.value("name", "") == contract::kEnvCallHomeKey) {
        return variable.value("value", "");
      }
    }
  }
  return "";
}

}  // namespace pilotlight::core
