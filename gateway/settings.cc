#include "gateway/settings.h"

#include "gateway/gateway.h"

namespace pilotlight::gateway {

namespace {

using namespace std::chrono_literals;
using api::bytesRow;
using api::countRow;
using api::durationRow;
using api::flagRow;
using net::ClientOptions;
using net::HeadLimits;
using net::ServerOptions;
using Options = GatewayOptions;

constexpr std::int64_t kKi = 1 << 10, kMi = 1 << 20, kTi = 1LL << 40;

constexpr api::Setting kRows[] = {
    // How much at once
    countRow<&Options::loops>("loops", "Event loops; 0: one per core.", 0, 256),
    countRow<&Options::pool>("pool", "Requests at once of all functions together; what some reserve is not shared; 0: no limit.", 0,
                             1'000'000),
    countRow<&Options::server, &ServerOptions::maxConnections>(
        "maxConnections", "Clients' connections of an event loop; one more is closed at once.", 1, 10'000'000),
    bytesRow<&Options::memoryLimit>("memoryLimit", "Memory that the process may use; 0: no limit; not set: 90 % of what its cgroup allows.",
                                    0, kTi),
    bytesRow<&Options::memoryReserve>(
        "memoryReserve", "Of the memory limit, below which nothing new is taken, at most half; not set: an eighth, of a small limit 16Mi.",
        kMi, kTi),
    // Clients
    durationRow<&Options::server, &ServerOptions::headTimeout>("headTimeout", "From the first byte of a head to its end; then 408.", 10ms,
                                                               1h),
    durationRow<&Options::server, &ServerOptions::idleTimeout>("idleTimeout", "Of a connection between two requests.", 10ms, 24h),
    durationRow<&Options::server, &ServerOptions::sendTimeout>("sendTimeout",
                                                               "For a client that takes nothing of its answer; then it is cut.", 10ms, 24h),
    bytesRow<&Options::server, &ServerOptions::head, &HeadLimits::bytes>("headBytes", "Of a request's head; more: 431.", kKi, 12 * kKi),
    countRow<&Options::server, &ServerOptions::head, &HeadLimits::fields>("headFields", "Of a request; more: 431.", 8, 100),
    bytesRow<&Options::server, &ServerOptions::head, &HeadLimits::targetBytes>("targetBytes", "Of a request's target; more: 414.", 256,
                                                                               8 * kKi),
    bytesRow<&Options::server, &ServerOptions::highWater>("clientBuffer", "Of an answer, that wait for a client slower than the replica.",
                                                          4 * kKi, 64 * kMi),
    bytesRow<&Options::server, &ServerOptions::discardBytes>(
        "discardBytes", "Of a body whose request is answered, read so that the connection can stay.", 0, 64 * kMi),
    durationRow<&Options::server, &ServerOptions::discardTimeout>("discardTimeout", "For the same.", 10ms, 10min),
    durationRow<&Options::server, &ServerOptions::lingerTimeout>("lingerTimeout",
                                                                 "For a client to close its direction after ours is closed.", 10ms, 10min),
    flagRow<&Options::server, &ServerOptions::http2>("http2", "Takes connections that begin with the preface of HTTP/2."),
    countRow<&Options::server, &ServerOptions::maxStreams>("maxStreams", "Requests at once on a client's HTTP/2 connection.", 1, 10'000),
    durationRow<&Options::server, &ServerOptions::handshakeTimeout>("handshakeTimeout", "Of TLS, from the connection on.", 10ms, 10min),
    countRow<&Options::server, &ServerOptions::handshakes>(
        "handshakes", "Of TLS that are under way at once, per event loop; one more ends the oldest.", 1, 1'000'000),
    durationRow<&Options::tls, &TlsOptions::lookEvery>(
        "certificateLook", "Between two looks at the files of certificates; what two find the same is taken.", 10ms, 1h),
    // Replicas
    durationRow<&Options::connectTimeout>("connectTimeout", "For a connection to a replica.", 10ms, 1min),
    durationRow<&Options::client, &ClientOptions::idleTimeout>(
        "replicaIdleTimeout", "Of a connection to a replica; less than the shims' idleTimeout.", 10ms, 24h),
    countRow<&Options::client, &ClientOptions::maxIdlePerAddress>("replicaMaxIdle", "Idle connections to a replica, per event loop.", 0,
                                                                  100'000),
    bytesRow<&Options::client, &ClientOptions::highWater>(
        "replicaBuffer", "Of a request's body, that wait for a replica slower than the client.", 4 * kKi, 64 * kMi),
    countRow<&Options::client, &ClientOptions::maxStreams>(
        "replicaMaxStreams", "Requests at once on an HTTP/2 connection to a replica; more open another one.", 1, 10'000),
    bytesRow<&Options::replayBytes>("replayBytes", "Of a request's body, kept for another attempt.", 0, 64 * kMi),
    durationRow<&Options::retryMaxPause>("retryMaxPause", "Between attempts of a request that no replica took: from 1ms up to this.", 1ms,
                                         1min),
    countRow<&Options::resends>("resends", "Of one request, where `http.retry: idempotent` lets it, after a replica broke off with it.", 0,
                                100),
    durationRow<&Options::pauses, &ReplicaPauses::refused>("refusedPause", "Before a replica that refused is asked again.", 1ms, 1min),
    durationRow<&Options::pauses, &ReplicaPauses::unreachable>(
        "unreachablePause", "Before a replica that was not reached is tried again; doubled each further time.", 1ms, 1min),
    durationRow<&Options::pauses, &ReplicaPauses::unreachableMost>("unreachableMaxPause", "The most that it is doubled to.", 1ms, 10min),
    countRow<&Options::wakesAtOnce>(
        "wakesAtOnce", "Functions that are raised at the same time; the next ones wait for the API's answer. More of them cost memory.", 1,
        1024),
    durationRow<&Options::wakeRetry>("wakeRetry", "Before a replica is asked for again while requests wait for the first one.", 1ms, 10min),
    durationRow<&Options::wakeAttemptTimeout>("wakeAttemptTimeout", "For the API server to answer one attempt to raise a function.", 10ms,
                                              1min),
    durationRow<&Options::wakeTimeout>("wakeTimeout", "For all attempts, before another function has its turn.", 10ms, 1min),
    durationRow<&Options::lightTimeout>("lightTimeout", "For a parked replica to start its handler, before it is told again.", 10ms, 1h),
    countRow<&Options::pendingReplicas>("pendingReplicas", "Replicas that have called home before the API told of their pods, at most.", 1,
                                        1'000'000),
    durationRow<&Options::pendingTimeout>("pendingTimeout", "For the API to tell of them.", 10ms, 10min),
    // Slots and queues over all gateways
    durationRow<&Options::owners, &OwnersOptions::unreachable>(
        "ownerUnreachablePause", "Before another gateway that could not be asked for a slot is asked again.", 10ms, 10min),
    durationRow<&Options::owners, &OwnersOptions::silence>(
        "ownerSilence", "Before a gateway is looked at where a request waits for a slot, and for its answer; then another one takes over.",
        10ms, 1min),
    durationRow<&Options::owners, &OwnersOptions::connectTimeout>("questionConnectTimeout",
                                                                  "For a connection to a replica that is asked what it runs.", 10ms, 1min),
    durationRow<&Options::owners, &OwnersOptions::answerTimeout>("questionTimeout", "For its answer; until then it counts as full.", 10ms,
                                                                 1min),
    durationRow<&Options::owners, &OwnersOptions::pauses, &AskPauses::first>(
        "questionPause", "Before it is asked again, while it is not clear what it runs; doubled each further time.", 1ms, 1min),
    durationRow<&Options::owners, &OwnersOptions::pauses, &AskPauses::most>("questionMaxPause", "The most that it is doubled to.", 1ms,
                                                                            10min),
    durationRow<&Options::owners, &OwnersOptions::queuePause>(
        "queuePause", "Between two words to the gateway that counts a function's queue, and before the first one.", 1ms, 1min),
    durationRow<&Options::troubleCheck>(
        "troubleCheck", "How often what waits looks whether the function's pods can start at all; if none can it gets 502.", 10ms, 10min),
    flagRow<&Options::tellPods>("tellPods", "Such answers, and 504 after queue.wait, tell what is wrong with a pod, with its last words."),
    durationRow<&Options::callHome, &CallHomeOptions::keyRefresh>(
        "callHomeKeyRefresh", "Before the file of the key is read again, when a replica's call is not believed.", 10ms, 1h),
    durationRow<&Options::callHome, &CallHomeOptions::peerTimeout>("peerTimeout", "For another gateway to hear of a new replica.", 10ms,
                                                                   1min),
    countRow<&Options::callHome, &CallHomeOptions::peerTries>("peerTries", "Of telling it.", 1, 10),
    durationRow<&Options::callHome, &CallHomeOptions::peerPause>("peerPause", "Before it is told again.", 1ms, 1min),
    countRow<&Options::callHome, &CallHomeOptions::peerCalls>("peerCalls", "Of such calls at once, per event loop; more are not made.", 0,
                                                              100'000),
    // Itself
    durationRow<&Options::retryAfter>("retryAfter", "What answers with 429, 503 and 504 say in Retry-After, in whole seconds.", 1s, 1h),
    bytesRow<&Options::accessLogBytes>(
        "accessLogBytes",
        "Of log lines that wait to be written, per event loop, up to the next power of two; what comes then is dropped and counted.",
        4 * kKi, 256 * kMi),
    durationRow<&Options::server, &ServerOptions::drainIdle>(
        "drainIdle", "At the end, for a request on its way on a connection that a client has.", 0ms, 1min),
    durationRow<&Options::syncTimeout>("syncTimeout", "At the start, for the API to tell of all routes and pods.", 100ms, 1h),
};

const void* defaults() {
  static const Options options;
  return &options;
}

constexpr api::SettingsTable kTable{"gateway", "Of the gateway's public listener, its connections to replicas, and itself.", kRows,
                                    defaults};

}  // namespace

const api::SettingsTable& settings() {
  return kTable;
}

}  // namespace pilotlight::gateway
