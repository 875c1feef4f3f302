// The gateway: routes, admits, holds, wakes, balances and proxies requests to replicas.
//
// Thread-safety: start(), stop() from one thread; load(), metrics() and the addresses from any.
// It learns FunctionRoutes and Pods by watching, keeps nothing that must survive, and serves what it knows while the API
// is away.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/host_rules.h"
#include "core/load.h"
#include "gateway/call_home_keys.h"
#include "gateway/owners_options.h"
#include "gateway/peers.h"
#include "kube/client.h"
#include "net/client.h"
#include "net/server.h"
#include "net/socket.h"
#include "tls/certificate_files.h"

namespace pilotlight::gateway {

enum class AccessLog { off, errors, all };

class LogWriter;

/// How long a replica that refused, or could not be reached, is left alone.
struct ReplicaPauses {
  std::chrono::milliseconds refused{20};
  std::chrono::milliseconds unreachable{50};  ///< the first time; doubled each further time in a row
  std::chrono::milliseconds unreachableMost{1600};
};

/// Of what the gateway tells about loads: see load_feed.h.
struct LoadFeedOptions {
  std::chrono::milliseconds period{250};
  std::chrono::milliseconds heartbeat{std::chrono::seconds(1)};
  std::size_t listeners = 16;   ///< of each event loop, at once
  std::size_t lineLoads = 500;  ///< functions in a line, at most
};

/// Of the public listener for TLS, which is there with at least one certificate.
struct TlsOptions {
  net::Address listen{"0.0.0.0", 8443};
  std::vector<tls::CertificateFiles> certificates;  ///< the first one is for clients that ask for no name, or an unknown one
  std::chrono::milliseconds lookEvery{std::chrono::seconds(2)};
  std::uint16_t redirectTo = 0;  ///< requests without TLS are sent to this port of their host; 0: they are served
};

/// Users set what gateway/settings.cc lists.
struct GatewayOptions {
  std::string name = "gateway";  ///< unique among gateways; acknowledges FunctionRoutes
  std::string uid{};             ///< its pod's
  int crashes = 0;               ///< of gateways before this one, in the same container: for the metric
  PeersOptions peers{};          ///< where the other gateways are
  CallHomeOptions callHome{};    ///< who is believed that says that a replica is there
  core::HostRules hosts{};       ///< as the operator has them
  std::string watchNamespace{};  ///< functions of this namespace only; empty: of all
  net::Address listen{"0.0.0.0", 8080};
  net::Address internalListen{"0.0.0.0", 8081};  ///< call-home, /metrics, /healthz
  TlsOptions tls{};
  int loops = 0;      ///< event loops; 0: one per core
  int pool = 10'000;  ///< requests at once of all functions; what some reserve is not shared; 0: no limit
  AccessLog accessLog = AccessLog::errors;
  /// JSON lines, from a writer thread. While it does not return, lines are dropped; it must return for the gateway to end.
  std::function<void(std::string_view line)> log;
  int logFd = 1;                ///< without `log`: where the lines go
  LogWriter* writer = nullptr;  ///< instead of both: others write through it too. It must outlive the gateway
  /// A head of 12 KiB at most leaves room for what the gateway adds, so that a shim never refuses what was taken here.
  net::ServerOptions server{.head = {.bytes = 12 * 1024}};  ///< of the public listener: timeouts, and connections, of each event loop
  std::chrono::milliseconds connectTimeout{std::chrono::seconds(1)};
  net::ClientOptions client{};  ///< of the connections to replicas; connectTimeout is the one above
  ReplicaPauses pauses{};
  std::chrono::milliseconds retryMaxPause{100};                     ///< between attempts of a request that no replica took
  std::size_t replayBytes = 64 * 1024;                              ///< of a request's body, kept for another attempt
  std::chrono::milliseconds retryAfter{std::chrono::seconds(1)};    ///< what 429, 503 and 504 say, in whole seconds
  std::chrono::milliseconds troubleCheck{std::chrono::seconds(1)};  ///< how often what waits looks whether its pods can start at all
  bool tellPods = true;                                             ///< answers say why pods don't start, with their last words
  std::size_t pendingReplicas = 4096;                               ///< that called home before the API told of their pods
  std::chrono::milliseconds pendingTimeout{std::chrono::seconds(10)};
  std::size_t accessLogBytes = 512 * 1024;                              ///< of lines that wait to be written, per event loop
  std::chrono::milliseconds wakeRetry{std::chrono::milliseconds(500)};  ///< the wake is repeated until a replica registers
  int wakesAtOnce = 4;  ///< functions raised at the same time: each waits for the API's answer
  /// Of the client that raises functions: one attempt, and all of them. A function's next turn is `wakeRetry` later.
  std::chrono::milliseconds wakeAttemptTimeout{std::chrono::seconds(2)}, wakeTimeout{std::chrono::seconds(3)};
  std::chrono::milliseconds lightTimeout{std::chrono::seconds(60)};  ///< for a parked replica's handler to start
  int resends = 2;  ///< of one request, after a replica got it and broke off (`http.retry: idempotent`): a request may be what breaks them
  std::chrono::milliseconds syncTimeout{std::chrono::seconds(10)};
  LoadFeedOptions loads{};  ///< what the operator hears
  OwnersOptions owners{};   ///< of limited functions' slots
  /// Bytes that the process may use; 0: no limit. Not given: 90 % of what its cgroup allows. Near it requests get 503, and no
  /// connection is accepted.
  std::optional<std::uint64_t> memoryLimit{};
  /// Bytes of it below which nothing new is taken. Not given: an eighth, of a small limit 16 MiB.
  std::optional<std::uint64_t> memoryReserve{};
  std::function<std::uint64_t()> memoryUsed{};  ///< how much it uses; default: measured
};

/// Sockets that listen. Nobody accepts from them before the gateway knows routes and pods: connections wait.
struct Listeners {
  net::Fd open, internal;
  net::Fd secure;  ///< none without a certificate
};
std::expected<Listeners, std::string> listen(const GatewayOptions& options);

class Gateway final : public core::LoadSource {
 public:
  /// `hasty`: the same cluster, with wakeTimeout and wakeAttemptTimeout; null: `client`.
  Gateway(kube::Client& client, GatewayOptions options, kube::Client* hasty = nullptr);
  ~Gateway() override;

  /// Listens, and returns once routes and pods are known.
  std::expected<void, std::string> start();
  std::expected<void, std::string> start(Listeners listeners);
  /// /readyz says no from now on; everything else goes on. Before drain(), so that those who send requests learn of it in time.
  void announceEnd();
  /// Stops accepting, and lets requests in flight end for at most `grace`: waking functions, too.
  void drain(std::chrono::milliseconds grace);
  /// Drains, then cuts what is left.
  void stop(std::chrono::milliseconds grace);

  net::Address address() const;
  net::Address internalAddress() const;
  net::Address tlsAddress() const;  ///< port 0: there is none
  std::string metrics() const;      ///< Prometheus text
  Peers& peers();                   ///< as long as this gateway

  std::vector<core::FunctionLoad> loads() const override;
  void onDemand(std::function<void(const std::string& namespace_, const std::string& name)> listener) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::gateway
