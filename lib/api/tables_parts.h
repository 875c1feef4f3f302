// The tables of the structs that specs are made of; tables.h has those of the kinds themselves.
//
// One table per struct of types.h. A row is a member's name on the wire, its sentence in the reference, and its bounds;
// its default is the member's initialiser in types.h. Rules say the same thing twice: CEL for the API server, C++ for us.
// Everything else (CRDs, JSON, validation, docs/reference.md) is generated from these; run `make crds` after a change.
#pragma once

#include <algorithm>

#include "api/formats.h"
#include "api/row.h"

namespace pilotlight::api {

inline constexpr std::int64_t kSecond = 1000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kKi = 1LL << 10;
inline constexpr std::int64_t kMi = 1LL << 20;
inline constexpr std::int64_t kTi = 1LL << 40;
inline constexpr std::int32_t kMaxReplicas = 1000;

template <>
struct EnumNames<Runtime> {
  static constexpr std::array<std::string_view, 3> value{"native", "http", "exec"};
};
template <>
struct EnumNames<Visibility> {
  static constexpr std::array<std::string_view, 2> value{"public", "cluster"};
};
template <>
struct EnumNames<Retry> {
  static constexpr std::array<std::string_view, 2> value{"never", "idempotent"};
};
template <>
struct EnumNames<Protocol> {
  static constexpr std::array<std::string_view, 2> value{"http1", "h2c"};
};
template <>
struct EnumNames<MetricType> {
  static constexpr std::array<std::string_view, 1> value{"concurrency"};
};
template <>
struct EnumNames<OnChange> {
  static constexpr std::array<std::string_view, 2> value{"none", "signal"};
};
template <>
struct EnumNames<PortProtocol> {
  static constexpr std::array<std::string_view, 3> value{"TCP", "UDP", "SCTP"};
};

inline constexpr std::array<std::string_view, 3> kConditionStatus{"True", "False", "Unknown"};
inline constexpr std::array<std::string_view, 2> kTolerationOperators{"Equal", "Exists"};
inline constexpr std::array<std::string_view, 3> kTolerationEffects{"NoSchedule", "PreferNoSchedule", "NoExecute"};

// -- bounds that several tables share ---------------------------------------------------------------------------------

inline constexpr Options kTimeoutBounds{.min = 10, .max = 24 * kHour};
inline constexpr Options kPerReplicaBounds{.min = 1, .max = 1000};
inline constexpr Options kReservedBounds{.min = 0, .max = 1'000'000};
inline constexpr Options kPercentBounds{.min = 0, .max = 100};
inline constexpr Options kCounterBounds{.min = 0};
inline constexpr Options kHandlerBounds{.required = true, .nonEmpty = true, .maxLength = 4096, .maxItems = 64, .format = Format::text};
inline constexpr Options kEnvBounds{.maxItems = 256, .listType = ListType::map, .listKey = "name"};
inline constexpr Options kMountBounds{.maxItems = 64, .listType = ListType::map, .listKey = "name"};
inline constexpr Options kImageBounds{.required = true, .nonEmpty = true, .format = Format::image};
inline constexpr Options kHostBounds{.maxLength = 253, .maxItems = 32, .format = Format::host, .listType = ListType::set};
inline constexpr Options kConditionBounds{.maxItems = 32, .listType = ListType::map, .listKey = "type"};
inline constexpr Options kFunctionNameBounds{.required = true, .nonEmpty = true, .maxLength = 52, .format = Format::dnsLabel};

// -- metadata, in part ------------------------------------------------------------------------------------------------

template <>
struct Table<OwnerReference> {
  static constexpr std::string_view name = "OwnerReference";
  static constexpr std::string_view doc = "An object that this one lives and dies with.";
  static constexpr std::array rows = {
      row<&OwnerReference::apiVersion>("apiVersion", "The owner's group and version."),
      row<&OwnerReference::kind>("kind", "The owner's kind."),
      row<&OwnerReference::name>("name", "The owner's name."),
      row<&OwnerReference::uid>("uid", "The owner's uid."),
      row<&OwnerReference::controller>("controller", "Whether the owner manages this object."),
      row<&OwnerReference::blockOwnerDeletion>("blockOwnerDeletion", "Whether the owner waits for this object when it is deleted."),
  };
};

template <>
struct Table<Metadata> {
  static constexpr std::string_view name = "Metadata";
  static constexpr std::string_view doc = "The standard metadata of an object.";
  static constexpr std::array rows = {
      row<&Metadata::name>("name", "The object's name, unique in its namespace.", {.required = true, .nonEmpty = true}),
      row<&Metadata::namespace_>("namespace", "The namespace."),
      row<&Metadata::uid>("uid", "Set by the API server."),
      row<&Metadata::resourceVersion>("resourceVersion", "Set by the API server."),
      row<&Metadata::generation>("generation", "Rises with every change of the spec.", {.omitEmpty = true}),
      row<&Metadata::creationTimestamp>("creationTimestamp", "Set by the API server."),
      row<&Metadata::deletionTimestamp>("deletionTimestamp", "Set by the API server."),
      row<&Metadata::labels>("labels", "Labels."),
      row<&Metadata::annotations>("annotations", "Annotations."),
      row<&Metadata::finalizers>("finalizers", "Who must let go before the object is gone."),
      row<&Metadata::ownerReferences>("ownerReferences", "Objects that this one lives and dies with."),
  };
};

// -- parts of FunctionSpec --------------------------------------------------------------------------------------------

template <>
struct Table<KeyRef> {
  static constexpr std::string_view name = "KeyRef";
  static constexpr std::string_view doc = "One key of a Secret or a ConfigMap.";
  static constexpr std::array rows = {
      row<&KeyRef::name>("name", "The name of the Secret or ConfigMap, in the Function's namespace.",
                         {.required = true, .maxLength = 253, .format = Format::subdomain}),
      row<&KeyRef::key>("key", "The key whose value is taken.", {.required = true, .nonEmpty = true, .maxLength = 253}),
  };
};

template <>
struct Table<EnvVarSource> {
  static constexpr std::string_view name = "EnvVarSource";
  static constexpr std::string_view doc =
      "Where a variable's value comes from. Replicas are replaced after a change, where the operator may see it.";
  static constexpr std::array rows = {
      row<&EnvVarSource::secretKeyRef>("secretKeyRef", "A key of a Secret."),
      row<&EnvVarSource::configMapKeyRef>("configMapKeyRef", "A key of a ConfigMap."),
  };
  static constexpr std::array rules = {
      rule<EnvVarSource, [](const EnvVarSource& source) { return source.secretKeyRef.has_value() != source.configMapKeyRef.has_value(); }>(
          "has(self.secretKeyRef) != has(self.configMapKeyRef)", "give one of the two, secretKeyRef or configMapKeyRef", "secretKeyRef"),
  };
};

template <>
struct Table<EnvVar> {
  static constexpr std::string_view name = "EnvVar";
  static constexpr std::string_view doc = "An environment variable of the handler.";
  static constexpr std::array rows = {
      row<&EnvVar::name>("name", "The variable's name.", {.required = true, .maxLength = 253, .format = Format::envName}),
      row<&EnvVar::value>("value", "The variable's value.", {.maxLength = 32768, .format = Format::text}),
      row<&EnvVar::valueFrom>("valueFrom", "Takes the value from a key of a Secret or a ConfigMap."),
  };
  static constexpr std::array rules = {
      rule<EnvVar, [](const EnvVar& env) { return !env.name.starts_with("PILOTLIGHT_"); }>(
          "!self.name.startsWith('PILOTLIGHT_')", "must not start with PILOTLIGHT_: those names are reserved", "name"),
      rule<EnvVar, [](const EnvVar& env) { return !env.valueFrom || env.value.empty(); }>(
          "!has(self.valueFrom) || !has(self.value)", "has no meaning with value: leave one of the two out", "valueFrom"),
  };
};

template <>
struct Table<SourceMount> {
  static constexpr std::string_view name = "SourceMount";
  static constexpr std::string_view doc = "A Secret or a ConfigMap, given to the handler as files or as variables.";
  static constexpr std::array rows = {
      row<&SourceMount::name>("name", "The name of the Secret or ConfigMap, in the Function's namespace.",
                              {.required = true, .maxLength = 253, .format = Format::subdomain}),
      row<&SourceMount::path>("path", "The folder in which each key becomes a file. Required unless `env` is true.",
                              {.format = Format::absolutePath}),
      row<&SourceMount::env>("env",
                             "Give each key as an environment variable instead of a file. Replicas are replaced after a change, where the "
                             "operator may see it."),
      row<&SourceMount::onChange>("onChange",
                                  "Files are replaced when the source changes. `signal`: the handler is told, by SIGHUP or by the changed "
                                  "hook of a native one; `none`: it reads them again when it likes."),
  };
  static constexpr std::array rules = {
      rule<SourceMount, [](const SourceMount& mount) { return mount.env || !mount.path.empty(); }>(
          "self.env || has(self.path)", "required: give the folder to put the files in, or set env: true", "path"),
      rule<SourceMount, [](const SourceMount& mount) { return !mount.env || mount.path.empty(); }>(
          "!self.env || !has(self.path)", "has no meaning with env: true: leave one of the two out", "path"),
      rule<SourceMount, [](const SourceMount& mount) { return !mount.env || mount.onChange == OnChange::none; }>(
          "!self.env || self.onChange == 'none'", "has no meaning with env: true, which replaces the replicas: leave it out", "onChange"),
  };
};

template <>
struct Table<Resources> {
  static constexpr std::string_view name = "Resources";
  static constexpr std::string_view doc = "What one replica gets.";
  static constexpr std::array rows = {
      row<&Resources::memory>("memory", "Memory, requested and limited.", {.min = 4 * kMi, .max = 64 * kTi}),
      row<&Resources::cpu>("cpu", "CPU requested.", {.min = 1, .max = 1'000'000}),
      row<&Resources::ephemeral>("ephemeral", "Disk space: adds a writable /tmp of this size. It makes cold starts slower.",
                                 {.min = kMi, .max = 64 * kTi}),
  };
};

template <>
struct Table<Queue> {
  static constexpr std::string_view name = "Queue";
  static constexpr std::string_view doc = "Requests that wait for a free replica.";
  static constexpr std::array rows = {
      row<&Queue::requests>("requests", "How many requests may wait. The next one is answered 429.", {.min = 0, .max = 1'000'000}),
      row<&Queue::bytes>("bytes", "How many bytes of waiting requests are kept in memory.", {.min = 0, .max = kTi}),
      row<&Queue::wait>("wait", "The longest wait before the request is answered 503 or 504.", kTimeoutBounds),
  };
};

template <>
struct Table<Concurrency> {
  static constexpr std::string_view name = "Concurrency";
  static constexpr std::string_view doc = "How many requests run at the same time.";
  static constexpr std::array rows = {
      row<&Concurrency::perReplica>("perReplica", "The most requests that one replica handles at the same time.", kPerReplicaBounds),
      row<&Concurrency::target>("target", "The load that the autoscaler aims at, in percent of `perReplica`.", {.min = 1, .max = 100}),
      row<&Concurrency::reserved>("reserved",
                                  "Requests at once, over all replicas, that are kept for this function out of the gateways' pool (their "
                                  "setting `pool`); it never has more. "
                                  "0: none run. Absent: it shares the pool.",
                                  kReservedBounds),
      row<&Concurrency::queue>("queue", "Requests that wait for a free replica."),
  };
};

template <>
struct Table<ScaleMetric> {
  static constexpr std::string_view name = "ScaleMetric";
  static constexpr std::string_view doc = "What the number of replicas follows.";
  static constexpr std::array rows = {
      row<&ScaleMetric::type>("type", "`concurrency`: requests in flight and waiting, live from the gateways."),
  };
};

template <>
struct Table<Scale> {
  static constexpr std::string_view name = "Scale";
  static constexpr std::string_view doc = "The number of replicas.";
  static constexpr std::array rows = {
      row<&Scale::min>("min", "The fewest replicas. 0 lets the function go out when it is idle.", {.min = 0, .max = kMaxReplicas}),
      row<&Scale::parked>("parked",
                          "Replicas kept beside those that are wanted, with the shim alone and next to no resources: a request that "
                          "finds no free replica starts the handler of one.",
                          {.min = 0, .max = kMaxReplicas}),
      row<&Scale::max>("max", "The most replicas, parked ones included.", {.min = 1, .max = kMaxReplicas}),
      row<&Scale::initial>("initial", "Replicas that must once have been up before the Function is Ready.",
                           {.min = 0, .max = kMaxReplicas}),
      row<&Scale::toZeroAfter>("toZeroAfter", "Idle time after which the last replica goes.", {.min = kSecond, .max = 24 * kHour}),
      row<&Scale::metrics>("metrics", "What the number of replicas follows.", {.nonEmpty = true, .maxItems = 8}),
  };
  static constexpr std::array rules = {
      rule<Scale, [](const Scale& scale) { return scale.min <= scale.max; }>(
          "self.min <= self.max", "must not be more than scale.max: lower it or raise max", "min"),
      rule<Scale, [](const Scale& scale) { return scale.parked == 0 || scale.min + scale.parked <= scale.max; }>(
          "self.parked == 0 || self.min + self.parked <= self.max", "must not be more than scale.max less scale.min: lower it or raise max",
          "parked"),
      rule<Scale, [](const Scale& scale) { return scale.initial <= scale.max; }>(
          "self.initial <= self.max", "must not be more than scale.max: lower it or raise max", "initial"),
  };
};

template <>
struct Table<HttpRoute> {
  static constexpr std::string_view name = "HttpRoute";
  static constexpr std::string_view doc = "A path that the function answers.";
  static constexpr std::array rows = {
      row<&HttpRoute::path>("path",
                            "Segments are literal, a `{parameter}`, or a last `{proxy+}` that takes the rest. The longest match wins.",
                            {.nonEmpty = true, .maxLength = 256, .format = Format::routePath}),
      row<&HttpRoute::methods>("methods", "HTTP methods. Empty: all.",
                               {.maxLength = 32, .maxItems = 16, .format = Format::method, .listType = ListType::set}),
  };
  // A path of 256 characters has at most 128 segments, none empty: 129 parts lose nothing, and keep the API server's
  // estimate of the rule's cost within its budget (it takes an unbounded split to have 256).
  static constexpr std::array rules = {
      rule<HttpRoute, [](const HttpRoute& route) { return !hasDuplicateParameters(route.path); }>(
          "self.path.split('/', 129).all(s, !s.startsWith('{') || self.path.indexOf(s) == self.path.lastIndexOf(s))",
          "names a parameter twice: give each its own name", "path"),
  };
};

template <>
struct Table<HttpLimits> {
  static constexpr std::string_view name = "HttpLimits";
  static constexpr std::string_view doc = "Bounds of one request.";
  static constexpr std::array rows = {
      row<&HttpLimits::headers>("headers", "How many header fields a request may have. More is answered 431.", {.min = 1, .max = 124}),
      row<&HttpLimits::headerBytes>("headerBytes", "How large a request's header fields may be in all. More is answered 431.",
                                    {.min = kKi, .max = 12 * kKi}),
      row<&HttpLimits::url>("url", "How long a request's path and query may be. More is answered 414.", {.min = 64, .max = 8 * kKi}),
      row<&HttpLimits::body>("body", "How large a request's body may be. More is answered 413.", {.min = 0, .max = kTi}),
  };
};

template <>
struct Table<Http> {
  static constexpr std::string_view name = "Http";
  static constexpr std::string_view doc = "Who may call the function over HTTP, and how.";
  static constexpr std::array rows = {
      row<&Http::visibility>("visibility", "`public`: through every gateway; `cluster`: only from inside the cluster."),
      row<&Http::retry>("retry",
                        "Whether a request may be sent again after bytes of it went to a replica: `never`, or `idempotent` methods."),
      row<&Http::protocol>(
          "protocol",
          "What the handler speaks. `http1`, or `h2c`: HTTP/2 without TLS all the way to the handler (gRPC); runtime http only."),
      row<&Http::limits>("limits", "Bounds of one request."),
      row<&Http::idleTimeout>("idleTimeout", "How long a WebSocket, or another upgraded connection, may be without traffic.",
                              kTimeoutBounds),
      row<&Http::hosts>("hosts", "Host names. Empty: {name}.{namespace}.{domain}; local mode also serves /{name}.", kHostBounds),
      row<&Http::routes>("routes", "Paths that are answered. Empty: every path."),
  };
};

template <>
struct Table<EgressPort> {
  static constexpr std::string_view name = "EgressPort";
  static constexpr std::string_view doc = "A port that may be connected to.";
  static constexpr std::array rows = {
      row<&EgressPort::port>("port", "The number, of the pod where it is one of the cluster: not the Service's.",
                             {.required = true, .min = 1, .max = 65535}),
      row<&EgressPort::protocol>("protocol", "`TCP`, `UDP` or `SCTP`."),
  };
};

template <>
struct Table<EgressRule> {
  static constexpr std::string_view name = "EgressRule";
  static constexpr std::string_view doc = "Where replicas may connect to: an address range, or pods.";
  static constexpr std::array rows = {
      row<&EgressRule::cidr>("cidr", "An address range. NetworkPolicies know no host names.", {.maxLength = 43}),
      row<&EgressRule::namespaceLabels>("namespaceLabels", "Labels of the namespaces of the pods. Default: the Function's own namespace.",
                                        {.maxLength = 63, .maxItems = 16, .format = Format::labelValue}),
      row<&EgressRule::podLabels>("podLabels", "Labels of the pods. Default: all of those namespaces.",
                                  {.maxLength = 63, .maxItems = 16, .format = Format::labelValue}),
      row<&EgressRule::ports>("ports", "Ports. Empty: every port.", {.maxItems = 16}),
  };
  static constexpr std::array rules = {
      rule<EgressRule, [](const EgressRule& to) { return to.cidr.empty() != (to.namespaceLabels.empty() && to.podLabels.empty()); }>(
          "has(self.cidr) != (has(self.namespaceLabels) && self.namespaceLabels.size() > 0 || "
          "has(self.podLabels) && self.podLabels.size() > 0)",
          "must be given, or else namespaceLabels, podLabels or both: an entry is an address range or pods", "cidr"),
      // A rule and no pattern, since its message can say what is wrong. Of IPv6 it lets more pass than the check.
      rule<EgressRule, [](const EgressRule& to) { return to.cidr.empty() || isCidr(to.cidr); }>(
          "!has(self.cidr) || self.cidr.matches("
          "'^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$') || "
          "self.cidr.matches('^[0-9a-fA-F]*:[0-9a-fA-F:.]+/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$')",
          "must be an address range such as 10.1.0.0/16 or fd00::/8: NetworkPolicies know no host names", "cidr"),
  };
};

template <>
struct Table<Network> {
  static constexpr std::string_view name = "Network";
  static constexpr std::string_view doc = "What the replicas may reach. For clusters that enforce NetworkPolicies.";
  static constexpr std::array rows = {
      row<&Network::egress>("egress",
                            "The only places that replicas may connect to, beside DNS and the gateways; `[]`: none. Absent: everywhere.",
                            {.maxItems = 32}),
  };
};

template <>
struct Table<Toleration> {
  static constexpr std::string_view name = "Toleration";
  static constexpr std::string_view doc = "A taint of nodes that pods of this function bear.";
  static constexpr std::array rows = {
      row<&Toleration::key>("key", "The taint's key. Empty, with operator Exists: every taint.", {.maxLength = 317}),
      row<&Toleration::operator_>("operator", "How the value is compared; absent means Equal.", {.oneOf = kTolerationOperators}),
      row<&Toleration::value>("value", "The taint's value.", {.maxLength = 63, .format = Format::labelValue}),
      row<&Toleration::effect>("effect", "The taint's effect. Absent: every effect.", {.oneOf = kTolerationEffects}),
  };
  static constexpr std::array rules = {
      rule<Toleration, [](const Toleration& t) { return t.operator_ != "Exists" || t.value.empty(); }>(
          "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
          "has no meaning with operator Exists: leave it out", "value"),
      rule<Toleration, [](const Toleration& t) { return !t.key.empty() || t.operator_ == "Exists"; }>(
          "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')", "required unless operator is Exists",
          "key"),
  };
};

constexpr bool hasReservedKey(const StringMap& labels) {
  return std::ranges::any_of(labels, [](const auto& label) { return label.first.starts_with("pilotlight.dev/"); });
}

template <>
struct Table<PodOptions> {
  static constexpr std::string_view name = "PodOptions";
  static constexpr std::string_view doc = "Settings of the pods, for what no other field covers.";
  static constexpr std::array rows = {
      row<&PodOptions::labels>("labels", "Labels of the pods.", {.maxLength = 63, .format = Format::labelValue}),
      row<&PodOptions::annotations>("annotations", "Annotations of the pods.", {.maxLength = 32768}),
      row<&PodOptions::nodeSelector>("nodeSelector", "Labels that a node must have.", {.maxLength = 63, .format = Format::labelValue}),
      row<&PodOptions::tolerations>("tolerations", "Taints of nodes that the pods bear."),
      row<&PodOptions::imagePullSecrets>("imagePullSecrets", "Secrets for pulling the image.",
                                         {.maxLength = 253, .maxItems = 16, .format = Format::subdomain, .listType = ListType::set}),
      row<&PodOptions::serviceAccountName>("serviceAccountName", "A ServiceAccount of your own. Default: one without rights or token.",
                                           {.maxLength = 253, .format = Format::subdomain}),
      row<&PodOptions::serviceAccountToken>(
          "serviceAccountToken",
          "Mount the token of `serviceAccountName`, with which the handler may call the API. Absent: no; it makes cold starts slower."),
      row<&PodOptions::runAsUser>("runAsUser", "The user id of the handler. Default: 65532.", {.min = 0, .max = 2'147'483'647}),
      row<&PodOptions::readyPath>(
          "readyPath", "Runtime http: a path that must answer below 500 before the replica is ready. Empty: a connection suffices.",
          {.format = Format::urlPath}),
      row<&PodOptions::port>(
          "port", "Runtime http: the port that the handler listens on, given to it as $PORT. Default: 8080; in local mode a free one.",
          {.min = 1, .max = 65535}),
  };
  static constexpr std::array rules = {
      rule<PodOptions, [](const PodOptions& pod) { return !hasReservedKey(pod.labels); }>(
          "!has(self.labels) || !self.labels.exists(k, k.startsWith('pilotlight.dev/'))",
          "must not have keys that start with pilotlight.dev/: those are reserved", "labels"),
      rule<PodOptions, [](const PodOptions& pod) { return !pod.serviceAccountToken.value_or(false) || !pod.serviceAccountName.empty(); }>(
          "!has(self.serviceAccountToken) || !self.serviceAccountToken || has(self.serviceAccountName)",
          "needs serviceAccountName: the account that a Function has of its own may do nothing", "serviceAccountToken"),
  };
};

}  // namespace pilotlight::api
