// From a Function to the objects that run it. Pure functions with deterministic output: the same input renders the same
// JSON, so applying twice changes nothing.
//
// Everything rendered is in the Function's namespace, carries the labels of api/types.h, and is owned by the Function
// (controller owner reference), so that it goes with it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/types.h"

namespace pilotlight::core {

using Json = nlohmann::json;

/// In spec.pod.annotations: "true" says that the image already holds the shim at kShimPath, which saves the copying init
/// container and its volume (about a second of cold start).
inline constexpr const char* kAnnotationShimInImage = "pilotlight.dev/shim-in-image";
/// On what is rendered: a digest of it, so that a field no longer rendered is noticed.
inline constexpr const char* kAnnotationRendered = "pilotlight.dev/rendered";
inline constexpr const char* kShimDirectory = "/pilotlight";
inline constexpr const char* kShimPath = "/pilotlight/pilotlight-shim";
inline constexpr const char* kFunctionContainer = "function";
inline constexpr const char* kShimPortName = "shim";

/// What the shim has beyond a request's timeout to end what is in flight, and what the kubelet gives it beyond that.
inline constexpr std::chrono::seconds kDrainMargin{10};
inline constexpr std::chrono::seconds kTerminationMargin{15};

/// What functions' NetworkPolicies need to know of the cluster.
struct NetworkOptions {
  std::string gatewayNamespace;
  api::StringMap gatewayLabels;  ///< of the gateways' pods
  /// Of the operator's, in the same namespace, which parks and lights replicas. Empty: it is not let in.
  api::StringMap operatorLabels{};
  int gatewayPort = 8081;  ///< of the gateways' internal listeners, for call-home
  /// JSON of a LabelSelector: namespaces whose pods may read functions' metrics, which are at the port of requests. Empty: none.
  std::string monitoringNamespaces;
  /// JSON of an egress rule: where DNS is.
  std::string dns = R"({"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"}],)"
                    R"("to":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}}}]})";
};

struct RenderOptions {
  std::string domain = "localhost";       ///< default host: {name}.{namespace}.{domain}
  bool localPaths = false;                ///< also serve under /{name} or /{namespace}/{name}
  std::string clusterUrlBase;             ///< the same for visibility: cluster
  std::string urlBase;                    ///< with localPaths: status.url is this and the local path
  std::string gateways;                   ///< given to shims for call-home
  std::string callHomeKey;                ///< the master key that Functions' keys are made of; empty: they get none
  std::string gatewayService;             ///< target of the ExternalName Service
  std::string shimImage;                  ///< of the copying init container
  bool copyShim = true;                   ///< false: the shim is there (local mode)
  std::optional<int> handlerPort = 8080;  ///< $PORT of the http runtime unless the Function says; nullopt: chosen by the kubelet
  std::optional<NetworkOptions> network;  ///< nullopt: no NetworkPolicies
  bool disruptionBudgets = true;
};

/// No init container copies it then.
bool shimInImage(const api::PodOptions& pod, const RenderOptions& options);
/// "orders-00007"
std::string versionName(const std::string& function, std::int64_t number);
/// Of everything in the version but its number, function and hash. 16 hex digits.
std::string contentHash(const api::FunctionVersionSpec& spec);
/// What the Function runs now, hash filled in, number as given. Routes, scale and queue are not part of it.
api::FunctionVersion renderVersion(const api::Function& function, std::int64_t number);

/// The hosts in lower case; without any in the spec the default one and, when in a cluster, the Service's names.
std::vector<std::string> hostsOf(const api::Function& function, const RenderOptions& options);
std::string localPathOf(const api::Function& function, const RenderOptions& options);
std::string urlOf(const api::Function& function, const RenderOptions& options);
api::FunctionRoute renderRoute(const api::Function& function, std::vector<api::RouteBackend> backends, const RenderOptions& options);
api::RouteBackend backendOf(const api::FunctionVersion& version, int weight);

/// Of what a Function has one of beside its Service and route: ServiceAccount, NetworkPolicy, PodDisruptionBudget.
/// Prefixed, so that a Function named "default" does not take over the namespace's own account.
std::string ownedName(const api::Function& function);
Json renderServiceAccount(const api::Function& function);
/// ExternalName to the gateways, so that in-cluster callers use the usual name.
Json renderService(const api::Function& function, const RenderOptions& options);

/// Who may connect to the Function's replicas, and with spec.network.egress where these may connect to.
Json renderNetworkPolicy(const api::Function& function, const NetworkOptions& options);
/// True when more than one replica is kept at all times: only then can a drain of nodes leave some.
bool needsDisruptionBudget(const api::Function& function);
Json renderDisruptionBudget(const api::Function& function);

/// The Deployment of a version, without spec.replicas: that is the autoscaler's.
/// `callHomeKey`: what its pods sign with; empty: nothing. `envSources`: envSourceRevisions().
Json renderDeployment(const api::Function& function, const api::FunctionVersion& version, const RenderOptions& options,
                      const std::string& callHomeKey = {}, const std::string& envSources = {});
/// What the Deployment, as the API has it, gives its pods to sign with; "": nothing.
std::string callHomeKeyOf(const Json& deployment);
/// The rendered Deployment as it is made, by one write: at 0 replicas (absent would mean 1).
Json deploymentToCreate(Json rendered);
/// The rendered Deployment in the place of the one that is there: what it renders is replaced whole, so that what is no longer rendered
/// goes; its replicas stay, and so do others' labels and annotations. Holds the resourceVersion of `existing`.
Json deploymentToUpdate(Json existing, const Json& rendered);
/// With kAnnotationRendered.
Json stamped(Json rendered);
/// The container's resources; of a parked pod hardly any are requested. Limits stay, and with them the pod's QoS class.
Json renderResources(const api::Resources& resources, bool parked = false);
/// A merge patch for the pod's subresource resize. It takes whole lists of containers only, and there may be some that webhooks of the
/// cluster have put in.
Json renderResize(const Json& pod, const api::Resources& resources, bool parked);
/// The pod template's spec; exposed for renderDeployment and its tests.
Json renderPodSpec(const api::Function& function, const api::FunctionVersion& version, const RenderOptions& options,
                   const std::string& callHomeKey = {});

/// apiVersion, kind and metadata with labels and the owner reference.
Json renderHead(const api::Function& function, const std::string& apiVersion, const std::string& kind, const std::string& name);
api::Metadata ownedMetadata(const api::Function& function, const std::string& name);

}  // namespace pilotlight::core
