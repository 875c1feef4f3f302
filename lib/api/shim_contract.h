// What the operator's pod template, the gateway and the shim agree on. No dependencies: the static shim includes it.
#pragma once

namespace pilotlight::contract {

// Variables of the function container. The handler's command is the shim's argument vector.
inline constexpr const char* kEnvFunction = "PILOTLIGHT_FUNCTION";
inline constexpr const char* kEnvNamespace = "PILOTLIGHT_NAMESPACE";
inline constexpr const char* kEnvVersion = "PILOTLIGHT_VERSION";
inline constexpr const char* kEnvRuntime = "PILOTLIGHT_RUNTIME";          ///< native | http | exec
inline constexpr const char* kEnvProtocol = "PILOTLIGHT_PROTOCOL";        ///< http1 | h2c: what the handler speaks (http runtime)
inline constexpr const char* kEnvConcurrency = "PILOTLIGHT_CONCURRENCY";  ///< hard limit of this replica
inline constexpr const char* kEnvTimeoutMs = "PILOTLIGHT_TIMEOUT_MS";
inline constexpr const char* kEnvGraceMs = "PILOTLIGHT_GRACE_MS";   ///< from SIGTERM to giving up on what is in flight
inline constexpr const char* kEnvListen = "PILOTLIGHT_LISTEN";      ///< "ip:port"; default 0.0.0.0:8012
inline constexpr const char* kEnvGateways = "PILOTLIGHT_GATEWAYS";  ///< "ip:port,ip:port": internal listeners, for call-home; may be empty
inline constexpr const char* kEnvPodUid = "PILOTLIGHT_POD_UID";
inline constexpr const char* kEnvPodName = "PILOTLIGHT_POD_NAME";
inline constexpr const char* kEnvPodIps = "PILOTLIGHT_POD_IPS";             ///< "ip,ip": it calls home from one of them
inline constexpr const char* kEnvCallHomeKey = "PILOTLIGHT_CALL_HOME_KEY";  ///< callhome/signature.h; no handler sees it
inline constexpr const char* kEnvReadyPath = "PILOTLIGHT_READY_PATH";       ///< http runtime, may be empty
inline constexpr const char* kEnvHandlerPort = "PORT";                      ///< http runtime: where the handler listens
inline constexpr const char* kEnvMountRoot =
    "PILOTLIGHT_MOUNT_ROOT";  ///< prefix of secret and config paths: empty in a cluster, a folder in local mode
/// Folders below the mount root, joined by ':', whose new files the handler is told of: onChange: signal.
inline constexpr const char* kEnvWatch = "PILOTLIGHT_WATCH";
inline constexpr const char* kEnvNativeHost = "PILOTLIGHT_NATIVE_HOST";  ///< path of pilotlight-native-host; default: beside the shim
// Local mode only.
inline constexpr const char* kEnvParentPid = "PILOTLIGHT_PARENT_PID";  ///< end at once, with every descendant, when this process is gone
inline constexpr const char* kEnvDescriptors =
    "PILOTLIGHT_DESCRIPTORS";                                      ///< soft limit that handlers get; default: the shim's own at its start
inline constexpr const char* kEnvReadyFd = "PILOTLIGHT_READY_FD";  ///< the shim writes "ready\n" / "unready\n" there

// Headers between gateway and shim. Inbound X-Pilotlight-* from clients and from handlers are stripped.
inline constexpr const char* kHeaderPrefix = "X-Pilotlight-";
inline constexpr const char* kHeaderDeadline = "X-Pilotlight-Deadline";   ///< epoch milliseconds
inline constexpr const char* kHeaderParamPrefix = "X-Pilotlight-Param-";  ///< path parameters: X-Pilotlight-Param-id
inline constexpr const char* kHeaderRequestId = "X-Request-Id";
/// Of a limited function: the slot that the request has, as text of a Ticket (api/ticket.h).
inline constexpr const char* kHeaderTicket = "X-Pilotlight-Ticket";
/// On a 503 of the shim that the handler never saw: safe to send elsewhere. concurrency | draining | starting | parked | ticket (none,
/// or of another owner than this replica was told of) | fenced (lower than the lowest that may begin)
inline constexpr const char* kHeaderRefused = "X-Pilotlight-Refused";
/// On a 5xx that the shim itself answered for the handler: timeout | crashed | start-failed | bad-response
inline constexpr const char* kHeaderShimError = "X-Pilotlight-Error";

// The shim's own endpoints on its port, never forwarded from outside.
inline constexpr const char* kShimPrefix = "/_pilotlight/";
inline constexpr const char* kShimHealthz = "/_pilotlight/healthz";
inline constexpr const char* kShimReadyz = "/_pilotlight/readyz";  ///< 200 with "ok", or with "parked": it takes work once it is lit
inline constexpr const char* kShimMetrics = "/_pilotlight/metrics";
inline constexpr const char* kShimDrain = "/_pilotlight/drain";
/// POST: an idle shim stops its handler and refuses requests as `parked`: 202. 409: it has requests, or isn't ready.
inline constexpr const char* kShimPark = "/_pilotlight/park";
/// POST: a parked shim starts its handler. 200 as soon as it takes requests; 503: ask again, here or elsewhere.
inline constexpr const char* kShimLight = "/_pilotlight/light";
/// What runs: POST with X-Pilotlight-Ticket, the lowest that may begin from now on; 409 with the field: a later owner has been here.
/// DELETE with it: requests need no ticket any more. 200: X-Pilotlight-Ticket as it is now, and as body the number of requests that run
/// without a ticket, then the tickets of the others, between spaces; X-Pilotlight-Refused says why it takes none now: draining | starting |
/// parked (what lights it asks again). A request runs until its handler is done, also when nobody waits.
inline constexpr const char* kTicketsPath = "/_pilotlight/tickets";
/// On the gateway's internal listener: POST {"namespace","function","pod","uid","ips","port","parked","begunUs","listeningUs"} from the
/// pod's own address; the last two tell how long ago the shim began and took requests.
/// 204: taken, or kept until the pod is seen; 401: not signed with a key that holds; 403: not from an address of the pod, or
/// for another function's; 409: contradicts what is known; anything else: try again.
inline constexpr const char* kRegisterPath = "/_pilotlight/register";
inline constexpr const char* kHeaderSignature = "X-Pilotlight-Signature";  ///< callhome::sign() of the body
/// On the same, from another gateway: what a shim has told that one.
inline constexpr const char* kPassedOnPath = "/_pilotlight/registered";
/// On the same: GET answers with lines of core/load_line.h, without end.
inline constexpr const char* kLoadsPath = "/_pilotlight/loads";
/// On the same, from another gateway: gateway/ticket_desk.h.
inline constexpr const char* kSlotPath = "/_pilotlight/slot";

}  // namespace pilotlight::contract
