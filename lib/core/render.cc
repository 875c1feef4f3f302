#include "core/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "api/api.h"
#include "core/sources.h"

namespace pilotlight::core {

namespace {

// FNV-1a, 64 bits: tells a handful of versions of one Function apart; not a defence against anyone.
std::string digest(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return fmt::format("{:016x}", hash);
}

std::string annotationOf(const api::Function& function, const char* name) {
  const auto it = function.metadata.annotations.find(name);
  return it == function.metadata.annotations.end() ? "" : it->second;
}

std::string lowerCase(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// Kubernetes' own word for "none": whether a version comes up is our own affair (core/plan.h). With one, the Deployment controller
/// writes the status of each Deployment three times more, and so to a conflict.
constexpr int kNoProgressDeadline = std::numeric_limits<std::int32_t>::max();
/// The Deployment controller's. It writes the first one too, unless it is there.
constexpr const char* kAnnotationRevision = "deployment.kubernetes.io/revision";

Json versionLabels(const api::Function& function, const api::FunctionVersion& version) {
  return {{api::kLabelFunction, function.metadata.name},
          {api::kLabelVersion, std::to_string(version.spec.number)},
          {api::kLabelManagedBy, api::kManagedBy}};
}

Json selectorLabels(const api::Function& function, const api::FunctionVersion& version) {
  return {{api::kLabelFunction, function.metadata.name}, {api::kLabelVersion, std::to_string(version.spec.number)}};
}

Json templateMetadata(const api::Function& function, const api::FunctionVersion& version, const std::string& envSources) {
  Json labels = version.spec.pod.labels;
  labels.update(versionLabels(function, version));  // ours win: the selector depends on them
  Json annotations = version.spec.pod.annotations;
  if (!version.spec.workDir.empty()) {
    annotations[api::kAnnotationWorkDir] = version.spec.workDir;
  }
  if (!envSources.empty()) {
    annotations[kAnnotationEnvSources] = envSources;
  }
  Json metadata{{"labels", std::move(labels)}};
  if (!annotations.empty()) {
    metadata["annotations"] = std::move(annotations);
  }
  return metadata;
}

}  // namespace

std::string versionName(const std::string& function, std::int64_t number) {
  return fmt::format("{}-{:05}", function, number);
}

std::string contentHash(const api::FunctionVersionSpec& spec) {
  api::FunctionVersion content;
  content.spec = spec;
  content.spec.function.clear();
  content.spec.number = 0;
  content.spec.hash.clear();
  return digest(api::write(content)["spec"].dump());
}

api::FunctionVersion renderVersion(const api::Function& function, std::int64_t number) {
  const api::FunctionSpec& from = function.spec;
  api::FunctionVersion version;
  version.metadata = ownedMetadata(function, versionName(function.metadata.name, number));
  version.metadata.labels[api::kLabelVersion] = std::to_string(number);
  version.spec = {.function = function.metadata.name,
                  .number = number,
                  .hash = {},
                  .image = from.image,
                  .runtime = from.runtime,
                  .handler = from.handler,
                  .env = from.env,
                  .secrets = from.secrets,
                  .config = from.config,
                  .resources = from.resources,
                  .timeout = from.timeout,
                  .perReplica = from.concurrency.perReplica,
                  .protocol = from.http.protocol,
                  .pod = from.pod,
                  .workDir = annotationOf(function, api::kAnnotationWorkDir),
                  .codeRevision = annotationOf(function, api::kAnnotationCodeRevision)};
  version.spec.hash = contentHash(version.spec);
  return version;
}

/// What its ExternalName Service is resolved by.
std::string inClusterHost(const api::Metadata& function) {
  return function.name + "." + function.namespace_;
}

std::vector<std::string> hostsOf(const api::Function& function, const RenderOptions& options) {
  std::vector<std::string> hosts;
  for (const auto& host : function.spec.http.hosts) {
    hosts.push_back(lowerCase(host));
  }
  const std::string base = inClusterHost(function.metadata);
  if (hosts.empty()) {
    hosts.push_back(base + "." + lowerCase(options.domain));
  }
  if (!options.localPaths) {  // the ExternalName Service keeps the caller's Host header, one of these
    hosts.insert(hosts.end(), {base, base + ".svc", base + ".svc.cluster.local"});
  }
  std::vector<std::string> unique;
  for (auto& host : hosts) {
    if (std::ranges::find(unique, host) == unique.end()) {
      unique.push_back(std::move(host));
    }
  }
  return unique;
}

std::string localPathOf(const api::Function& function, const RenderOptions& options) {
  if (!options.localPaths) {
    return "";
  }
  const auto& meta = function.metadata;
  return meta.namespace_ == "default" ? "/" + meta.name : "/" + meta.namespace_ + "/" + meta.name;
}

std::string urlOf(const api::Function& function, const RenderOptions& options) {
  const std::string path = localPathOf(function, options);
  const bool open = function.spec.http.visibility == api::Visibility::public_;
  const std::string& base = open ? options.urlBase : options.clusterUrlBase;
  if (!path.empty() && !base.empty()) {
    return base + path;
  }
  // One that only pods of the cluster reach has the name that they resolve, whatever hosts it answers to.
  return "http://" + (open ? hostsOf(function, options).front() : inClusterHost(function.metadata));
}

api::RouteBackend backendOf(const api::FunctionVersion& version, int weight) {
  return {.version = version.spec.number,
          .weight = weight,
          .deployment = version.metadata.name,
          .perReplica = version.spec.perReplica,
          .timeout = version.spec.timeout,
          .protocol = version.spec.protocol};
}

api::FunctionRoute renderRoute(const api::Function& function, std::vector<api::RouteBackend> backends, const RenderOptions& options) {
  api::FunctionRoute route;
  route.metadata = ownedMetadata(function, function.metadata.name);
  route.spec = {.function = function.metadata.name,
                .hosts = hostsOf(function, options),
                .localPath = localPathOf(function, options),
                .routes = function.spec.http.routes,
                .visibility = function.spec.http.visibility,
                .retry = function.spec.http.retry,
                .limits = function.spec.http.limits,
                .idleTimeout = function.spec.http.idleTimeout,
                .queue = function.spec.concurrency.queue,
                .reserved = function.spec.concurrency.reserved,
                .backends = std::move(backends),
                .functionGeneration = function.metadata.generation,
                .created = function.metadata.creationTimestamp};
  return route;
}

api::Metadata ownedMetadata(const api::Function& function, const std::string& name) {
  api::Metadata metadata;
  metadata.name = name;
  metadata.namespace_ = function.metadata.namespace_;
  metadata.labels = {{api::kLabelFunction, function.metadata.name}, {api::kLabelManagedBy, api::kManagedBy}};
  metadata.ownerReferences = {{.apiVersion = api::kApiVersion,
                               .kind = "Function",
                               .name = function.metadata.name,
                               .uid = function.metadata.uid,
                               .controller = true,
                               .blockOwnerDeletion = true}};
  return metadata;
}

Json renderHead(const api::Function& function, const std::string& apiVersion, const std::string& kind, const std::string& name) {
  const auto& meta = function.metadata;
  Json owner{{"apiVersion", api::kApiVersion}, {"kind", "Function"}, {"name", meta.name}, {"uid", meta.uid}, {"controller", true},
             {"blockOwnerDeletion", true}};
  Json labels{{api::kLabelFunction, meta.name}, {api::kLabelManagedBy, api::kManagedBy}};
  Json metadata{{"name", name}, {"namespace", meta.namespace_}, {"labels", std::move(labels)}};
  metadata["ownerReferences"] = Json::array({std::move(owner)});
  return {{"apiVersion", apiVersion}, {"kind", kind}, {"metadata", std::move(metadata)}};
}

std::string ownedName(const api::Function& function) {
  return "pilotlight-" + function.metadata.name;
}

Json renderServiceAccount(const api::Function& function) {
  Json account = renderHead(function, "v1", "ServiceAccount", ownedName(function));
  account["automountServiceAccountToken"] = false;
  return account;
}

Json renderService(const api::Function& function, const RenderOptions& options) {
  Json service = renderHead(function, "v1", "Service", function.metadata.name);
  service["spec"] = {{"type", "ExternalName"}, {"externalName", options.gatewayService}};
  return service;
}

Json renderDeployment(const api::Function& function, const api::FunctionVersion& version, const RenderOptions& options,
                      const std::string& callHomeKey, const std::string& envSources) {
  Json deployment = renderHead(function, "apps/v1", "Deployment", version.metadata.name);
  deployment["metadata"]["labels"] = versionLabels(function, version);
  // A replica that goes is replaced before it goes: nothing is ever missing while a template changes.
  Json strategy{{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", 1}, {"maxUnavailable", 0}}}};
  deployment["spec"] = {
      {"revisionHistoryLimit", 1},
      {"progressDeadlineSeconds", kNoProgressDeadline},
      {"selector", {{"matchLabels", selectorLabels(function, version)}}},
      {"strategy", std::move(strategy)},
      {"template",
       {{"metadata", templateMetadata(function, version, envSources)}, {"spec", renderPodSpec(function, version, options, callHomeKey)}}}};
  return stamped(std::move(deployment));
}

Json deploymentToCreate(Json rendered) {
  rendered["spec"]["replicas"] = 0;
  rendered["metadata"]["annotations"][kAnnotationRevision] = "1";
  return rendered;
}

Json stamped(Json rendered) {
  const std::string stamp = digest(rendered.dump());
  rendered["metadata"]["annotations"][kAnnotationRendered] = stamp;
  return rendered;
}

Json deploymentToUpdate(Json existing, const Json& rendered) {
  existing.erase("status");
  for (const char* ours : {"labels", "annotations"}) {
    existing["metadata"][ours].update(rendered["metadata"][ours]);
  }
  existing["metadata"]["ownerReferences"] = rendered["metadata"]["ownerReferences"];
  existing["spec"].update(rendered["spec"]);
  return existing;
}

}  // namespace pilotlight::core
