// The resource types of group pilotlight.dev/v1alpha1 as plain values.
//
// Every struct here has exactly one table (lib/api/tables.h) that gives its CRD schema, JSON reading and
// writing, defaults, validation and reference text. A member without a table row fails to compile.
// Thread-safety: plain values, no sharing. Durations are milliseconds in memory and Kubernetes duration
// strings ("30s", "1m30s") on the wire; sizes are bytes and Kubernetes quantities ("64Mi").
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pilotlight::api {

inline constexpr const char* kGroup = "pilotlight.dev";
inline constexpr const char* kVersion = "v1alpha1";
inline constexpr const char* kApiVersion = "pilotlight.dev/v1alpha1";

/// Labels and annotations that the operator puts on what it makes.
inline constexpr const char* kLabelFunction = "pilotlight.dev/function";
inline constexpr const char* kLabelVersion = "pilotlight.dev/version";  ///< the version's number, "7"
inline constexpr const char* kLabelManagedBy = "app.kubernetes.io/managed-by";
inline constexpr const char* kManagedBy = "pilotlight";
/// On pods whose handler the operator has stopped: the container's restart count then. Another one now: the handler runs again,
/// since every shim starts with its handler.
inline constexpr const char* kAnnotationParked = "pilotlight.dev/parked";
/// Local mode only: the folder of the Function's YAML file, where its command runs. Copied to pod templates.
inline constexpr const char* kAnnotationWorkDir = "local.pilotlight.dev/workdir";
/// Local mode only: changes when the handler's own files change; part of what makes a version.
inline constexpr const char* kAnnotationCodeRevision = "local.pilotlight.dev/code-revision";

/// Field managers of server-side apply.
inline constexpr const char* kManagerOperator = "pilotlight-operator";
inline constexpr const char* kManagerAutoscaler = "pilotlight-autoscaler";
inline constexpr const char* kManagerGateway = "pilotlight-gateway";

/// The port on which a shim listens in its pod, and the name of that port.
inline constexpr int kShimPort = 8012;

using Duration = std::chrono::milliseconds;

struct Bytes {
  std::int64_t value = 0;
  auto operator<=>(const Bytes&) const = default;
};

/// Thousandths of a CPU.
struct MilliCpu {
  std::int64_t value = 0;
  auto operator<=>(const MilliCpu&) const = default;
};

using StringMap = std::map<std::string, std::string>;

struct OwnerReference {
  std::string apiVersion, kind, name, uid;
  bool controller = false;
  bool blockOwnerDeletion = false;
};

/// The part of ObjectMeta that the product reads and writes. Others (managedFields, …) stay in the raw object.
struct Metadata {
  std::string name;
  std::string namespace_;
  std::string uid;
  std::string resourceVersion;
  std::int64_t generation = 0;
  std::string creationTimestamp;  ///< RFC 3339, empty when not yet created
  std::string deletionTimestamp;  ///< RFC 3339, empty when not being deleted
  StringMap labels;
  StringMap annotations;
  std::vector<std::string> finalizers;
  std::vector<OwnerReference> ownerReferences;
};

/// A standard Kubernetes condition.
struct Condition {
  std::string type;
  std::string status;  ///< True | False | Unknown
  std::string reason;
  std::string message;
  std::string lastTransitionTime;  ///< RFC 3339
  std::int64_t observedGeneration = 0;
};

enum class Runtime { native, http, exec };
enum class Visibility { public_, cluster };
enum class Retry { never, idempotent };
enum class Protocol { http1, h2c };
enum class MetricType { concurrency };
enum class OnChange { none, signal };
enum class PortProtocol { tcp, udp, sctp };

/// One key of a Secret or a ConfigMap of the Function's namespace.
struct KeyRef {
  std::string name, key;
};

/// One of the two.
struct EnvVarSource {
  std::optional<KeyRef> secretKeyRef, configMapKeyRef;
};

struct EnvVar {
  std::string name;
  std::string value;
  std::optional<EnvVarSource> valueFrom{};  ///< instead of value
};

/// A Secret or a ConfigMap mounted as files under `path`, or (env) taken as variables.
struct SourceMount {
  std::string name;
  std::string path;  ///< absolute; required unless env
  bool env = false;
  OnChange onChange = OnChange::none;  ///< files only: whether the handler is told of new ones
};

struct Resources {
  Bytes memory{128LL << 20};
  MilliCpu cpu{100};
  std::optional<Bytes> ephemeral;  ///< adds an emptyDir at /tmp
};

struct Queue {
  int requests = 1000;                      ///< entries that may wait
  Bytes bytes{64LL << 20};                  ///< head and body bytes buffered for those that wait
  Duration wait{std::chrono::seconds(30)};  ///< the longest wait before 503 / 504
};

struct Concurrency {
  int perReplica = 80;          ///< hard limit of one replica, enforced by its shim
  int target = 70;              ///< percent of perReplica that the autoscaler aims at
  std::optional<int> reserved;  ///< requests at once, over all replicas, kept out of the pool that functions share; absent: shares it
  Queue queue;
};

struct ScaleMetric {
  MetricType type = MetricType::concurrency;
};

struct Scale {
  int min = 0;
  int parked = 0;  ///< beside those that are wanted: pods with the shim alone, whose handler is started when it is needed
  int max = 20;
  int initial = 1;  ///< replicas that must once have been up before the Function is Ready
  Duration toZeroAfter{std::chrono::seconds(60)};
  std::vector<ScaleMetric> metrics{ScaleMetric{}};
};

struct HttpRoute {
  std::string path = "/{proxy+}";
  std::vector<std::string> methods;  ///< empty: all
};

/// Bounds of one request, checked before it is admitted.
struct HttpLimits {
  int headers = 100;              ///< fields of the head; more: 431
  Bytes headerBytes{12LL << 10};  ///< of the head, without the request line; more: 431
  Bytes url{8LL << 10};           ///< of the request's target; more: 414
  Bytes body{1LL << 30};          ///< more: 413
};

struct Http {
  Visibility visibility = Visibility::public_;
  Retry retry = Retry::never;
  Protocol protocol = Protocol::http1;  ///< what the handler speaks; part of what runs
  HttpLimits limits;
  Duration idleTimeout{std::chrono::minutes(5)};  ///< of an upgraded connection without traffic
  std::vector<std::string> hosts;                 ///< empty: {name}.{namespace}.{domain}; local mode also serves /{name}
  std::vector<HttpRoute> routes;                  ///< empty: every path of the host
};

struct EgressPort {
  int port = 0;
  PortProtocol protocol = PortProtocol::tcp;
};

/// A cidr, or pods by labels: of the Function's namespace unless namespaceLabels choose others.
struct EgressRule {
  std::string cidr;
  StringMap namespaceLabels;
  StringMap podLabels;
  std::vector<EgressPort> ports;  ///< empty: all
};

struct Network {
  std::optional<std::vector<EgressRule>> egress;  ///< absent: everywhere; beside these DNS and the gateways are open
};

struct Toleration {
  std::string key, operator_, value, effect;
};

/// The bounded escape hatch to the pod's template.
struct PodOptions {
  StringMap labels;
  StringMap annotations;
  StringMap nodeSelector;
  std::vector<Toleration> tolerations;
  std::vector<std::string> imagePullSecrets;
  std::string serviceAccountName;           ///< empty: one of its own, without rights or token
  std::optional<bool> serviceAccountToken;  ///< mounts the token of serviceAccountName; absent: no
  std::optional<std::int64_t> runAsUser;    ///< default 65532
  std::string readyPath;  ///< http runtime: this path must answer below 500 before the replica is ready; empty: a connection suffices
  std::optional<int>
      port;  ///< http runtime: the port that the handler listens on ($PORT); default 8080 in a cluster, a free one in local mode
};

struct FunctionSpec {
  std::string image;  ///< empty only in local mode
  Runtime runtime = Runtime::http;
  std::vector<std::string> handler;  ///< the command; for native: [library, symbol]
  std::vector<EnvVar> env;
  std::vector<SourceMount> secrets;
  std::vector<SourceMount> config;
  Resources resources;
  Duration timeout{std::chrono::seconds(30)};
  Concurrency concurrency;
  std::optional<int> replicas;  ///< pins the count; absent: automatic
  Scale scale;
  Http http;
  Network network;
  PodOptions pod;
};

struct VersionRefs {
  std::int64_t stable = 0;  ///< number of the version that serves; 0: none yet
  std::int64_t latest = 0;  ///< number of the newest version
};

struct TrafficTarget {
  std::int64_t version = 0;
  int weight = 0;  ///< percent
};

struct FunctionStatus {
  std::int64_t observedGeneration = 0;
  std::vector<Condition> conditions;  ///< Ready, Progressing, RouteReady, Scaled
  std::string url;
  VersionRefs versions;
  std::vector<TrafficTarget> traffic;
  int replicas = 0;
  int readyReplicas = 0;             ///< with a running handler
  int parkedReplicas = 0;            ///< without: see Scale::parked
  std::string selector;              ///< label selector as a string, for the scale subresource
  bool initialScaleReached = false;  ///< scale.initial replicas have once been up for this Function
  std::string shim;                  ///< "image" or "copied"; empty in local mode
};

struct Function {
  Metadata metadata;
  FunctionSpec spec;
  FunctionStatus status;
};

/// Immutable snapshot of what runs. `orders-00007`, owned by its Function.
struct FunctionVersionSpec {
  std::string function;
  std::int64_t number = 0;
  std::string hash;  ///< of everything below and of the code revision; same content, same version
  std::string image;
  Runtime runtime = Runtime::http;
  std::vector<std::string> handler;
  std::vector<EnvVar> env;
  std::vector<SourceMount> secrets;
  std::vector<SourceMount> config;
  Resources resources;
  Duration timeout{std::chrono::seconds(30)};
  int perReplica = 80;
  Protocol protocol = Protocol::http1;  ///< from the gateway to the shim and on to the handler
  PodOptions pod;
  std::string workDir;       ///< local mode only
  std::string codeRevision;  ///< local mode only
};

struct FunctionVersion {
  Metadata metadata;
  FunctionVersionSpec spec;
};

/// Where a share of the traffic goes: the pods labelled with the function and this version.
struct RouteBackend {
  std::int64_t version = 0;
  int weight = 100;        ///< percent; the weights of a route sum to 100
  std::string deployment;  ///< whose scale the gateway raises to wake the version
  int perReplica = 80;
  Duration timeout{std::chrono::seconds(30)};
  Protocol protocol = Protocol::http1;  ///< of this version's replicas: while an update takes over, two versions may differ
};

/// The flat, internal table that gateways watch: one per Function, same name, owned by it.
struct FunctionRouteSpec {
  std::string function;
  std::vector<std::string> hosts;  ///< lower case, no port
  std::string localPath;           ///< local mode: also served under this prefix on any host ("/hello"); empty: not
  std::vector<HttpRoute> routes;   ///< empty: every path
  Visibility visibility = Visibility::public_;
  Retry retry = Retry::never;
  HttpLimits limits;
  Duration idleTimeout{std::chrono::minutes(5)};
  Queue queue;
  std::optional<int> reserved;          ///< requests at once, outside the shared pool; absent: shares the pool
  std::vector<RouteBackend> backends;   ///< empty: known but not yet runnable, requests wait
  std::int64_t functionGeneration = 0;  ///< of the Function this was rendered from
  std::string created;                  ///< the Function's creationTimestamp: the older one keeps a contested host and path
};

struct GatewayAck {
  std::string gateway;                  ///< the gateway's name
  std::int64_t observedGeneration = 0;  ///< metadata.generation of the FunctionRoute that it serves
};

struct RouteOwner {
  std::string gateway;     ///< its name
  std::string instance;    ///< its process: another one each time that it starts
  std::int64_t epoch = 0;  ///< rises with each owner
};

struct FunctionRouteStatus {
  std::vector<GatewayAck> gateways;
  std::optional<RouteOwner> owner;  ///< admits what has to wait or is limited; absent: nothing had to yet
  std::vector<Condition> conditions;
};

struct FunctionRoute {
  Metadata metadata;
  FunctionRouteSpec spec;
  FunctionRouteStatus status;
};

}  // namespace pilotlight::api
