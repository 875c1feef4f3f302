// pilotlight-gateway: the gateway on a cluster, as the child of a small keeper (docs/adr/0019).
// Exit codes: 0 it was told to end; 1 it could not start; 2 wrong usage; 128 + N: it crashed again and again, at last by signal N.
// With --await-ready it is what waits for one.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>

#include "callhome/key_files.h"
#include "gateway/access_log.h"
#include "gateway/await_ready.h"
#include "gateway/gateway.h"
#include "gateway/settings.h"
#include "program/cluster.h"
#include "program/config.h"
#include "program/hosts.h"
#include "program/keeper.h"
#include "program/signals.h"

namespace {

using namespace pilotlight;

struct Options {
  program::ClusterOptions cluster{.rest = {.userAgent = "pilotlight-gateway"}};
  std::string name, config;
  std::optional<int> loops, pool;  // rather than what the file says
  std::string listen = "0.0.0.0:8080", internalListen = "0.0.0.0:8081", tlsListen = "0.0.0.0:8443";
  std::vector<std::string> certificates;
  std::string accessLog = "errors";
  int endSeconds = 5, graceSeconds = 30;
  std::optional<int> awaitReady;  // seconds
  gateway::GatewayOptions gateway;
};

void addOptions(CLI::App& app, Options& options) {
  app.add_option("--kubeconfig", options.cluster.kubeconfig, "file; default: $KUBECONFIG, else the pod's own account");
  app.add_option("--context", options.cluster.context, "of the kubeconfig; default: its current one");
  app.add_option("--name", options.name, "unique among gateways, its pod's name; default: $POD_NAME, else the host's name");
  app.add_option("--namespace", options.gateway.peers.namespace_, "where the gateways are; default: $POD_NAMESPACE, else the account's");
  app.add_option("--gateway-selector", options.gateway.peers.selector, "labels of the gateways' pods; default: there is no other gateway");
  app.add_option("--call-home-keys", options.gateway.callHome.keyFolder,
                 "folder with the key of shims, as a file `key`, and perhaps `previous`; default: no shim is believed");
  app.add_option("--watch-namespace", options.gateway.watchNamespace, "functions of this namespace only; default: of all");
  program::addHostOptions(app, options.gateway.hosts);
  app.add_option("--listen", options.listen, "address for requests")->capture_default_str();
  app.add_option("--internal-listen", options.internalListen, "address for shims, the operator, /metrics, /healthz, /readyz")
      ->capture_default_str();
  app.add_option("--listen-tls", options.tlsListen, "address for requests with TLS, with --tls-certificate")->capture_default_str();
  app.add_option("--tls-certificate", options.certificates,
                 "folder with tls.crt and tls.key, read again when they change; repeat for more: the first is the default");
  app.add_option("--redirect-to-tls", options.gateway.tls.redirectTo,
                 "answer requests without TLS with a redirect to this port of their host; 0: serve them")
      ->capture_default_str();
  app.add_option("--access-log", options.accessLog, "a JSON line per request on stdout")
      ->check(CLI::IsMember({"off", "errors", "all"}))
      ->capture_default_str();
  app.add_option("--config", options.config, "YAML file with a section `gateway`: docs/settings.md");
  app.add_option("--loops", options.loops, "event loops; 0: one per core")->check(CLI::Range(0, 256));
  app.add_option("--pool", options.pool, "requests at once of all functions together; 0: no limit")->check(CLI::Range(0, 1'000'000));
  app.add_option("--end-delay", options.endSeconds, "seconds that it goes on after SIGTERM, while /readyz says no")
      ->check(CLI::Range(0, 300))
      ->capture_default_str();
  app.add_option("--grace", options.graceSeconds, "seconds that requests in flight may take after that")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  app.add_option("--await-ready", options.awaitReady,
                 "be no gateway, but wait so many seconds at most until the one at --internal-listen is ready; else exit with 1")
      ->check(CLI::Range(0, 3600));
}

std::expected<void, std::string> complete(Options& options) {
  const api::SettingsTarget targets[] = {{gateway::settings(), &options.gateway}};
  if (auto read = program::readConfig(options.config, targets); !read) return read;
  if (options.loops) options.gateway.loops = *options.loops;
  if (options.pool) options.gateway.pool = *options.pool;
  const auto address = [](const char* option, const std::string& text) -> std::expected<net::Address, std::string> {
    auto parsed = net::parseAddress(text);
    if (!parsed) return std::unexpected(std::string(option) + " " + text + ": " + parsed.error());
    return *parsed;
  };
  auto open = address("--listen", options.listen);
  if (!open) return std::unexpected(open.error());
  auto own = address("--internal-listen", options.internalListen);
  if (!own) return std::unexpected(own.error());
  auto secure = address("--listen-tls", options.tlsListen);
  if (!secure) return std::unexpected(secure.error());
  options.gateway.tls.listen = *secure;
  for (const std::string& folder : options.certificates) options.gateway.tls.certificates.push_back(tls::certificateFolder(folder));
  if (options.gateway.tls.redirectTo != 0 && options.certificates.empty())
    return std::unexpected("--redirect-to-tls leads nowhere without --tls-certificate");
  options.gateway.listen = *open;
  options.gateway.internalListen = *own;
  options.gateway.accessLog = options.accessLog == "off"   ? gateway::AccessLog::off
                              : options.accessLog == "all" ? gateway::AccessLog::all
                                                           : gateway::AccessLog::errors;
  if (options.name.empty()) options.name = program::environment("POD_NAME");
  if (options.name.empty()) options.name = program::hostName();
  options.gateway.name = options.name;
  options.gateway.uid = program::environment("POD_UID");
  if (options.gateway.peers.namespace_.empty()) options.gateway.peers.namespace_ = program::environment("POD_NAMESPACE");
  return {};
}

void say(std::string_view level, std::string_view message,
         std::initializer_list<std::pair<std::string_view, std::string_view>> fields = {}) {
  std::string line;
  gateway::beginLogLine(line, level, message);
  for (const auto& [key, value] : fields) {
    line += ',';
    gateway::appendJsonString(line, key);
    line += ':';
    gateway::appendJsonString(line, value);
  }
  std::cout << line + "}\n" << std::flush;
}

/// Little memory: few heaps for few threads, and what is large goes back when it is freed.
void boundHeap() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);
}

int await(const Options& options) {
  const auto ready = gateway::awaitReady(options.gateway.internalListen, std::chrono::seconds(*options.awaitReady));
  if (!ready) std::cerr << ready.error() << "\n";
  return ready ? 0 : 1;
}

int failed(const std::string& why) {
  say("error", "gateway did not start", {{"error", why}});
  return 1;
}

int run(const program::Signals& signals, Options& options, gateway::Listeners listeners) {
  auto cluster = program::openCluster(options.cluster);
  if (!cluster) return failed(cluster.error());
  program::ClusterOptions hasty = options.cluster;
  hasty.rest.attemptTimeout = options.gateway.wakeAttemptTimeout;
  hasty.rest.callTimeout = options.gateway.wakeTimeout;
  auto hastyCluster = program::openCluster(hasty);
  if (!hastyCluster) return failed(hastyCluster.error());
  auto& callHome = options.gateway.callHome;
  if (callHome.keyFolder.empty()) {
    say("warn", "without --call-home-keys no shim is believed: replicas count when the API says that they are ready");
    callHome.keys = {callhome::randomKey()};
  } else if (auto keys = callhome::readKeys(callHome.keyFolder); !keys) {
    return failed("--call-home-keys: " + keys.error());
  }
  if (options.gateway.peers.namespace_.empty()) options.gateway.peers.namespace_ = cluster->namespace_;
  gateway::Gateway gateway(*cluster->client, options.gateway, hastyCluster->client.get());
  const auto started = gateway.start(std::move(listeners));
  if (started) {
    ::malloc_trim(0);  // what the first lists needed
    say("info", "gateway started",
        {{"name", options.name},
         {"listen", gateway.address().toString()},
         {"internal", gateway.internalAddress().toString()},
         {"tls", gateway.tlsAddress().port != 0 ? gateway.tlsAddress().toString() : ""}});
    while (signals.wait() != program::Signals::Event::end) {
    }
    say("info", "gateway ends");
    gateway.announceEnd();
    signals.waitFor(std::chrono::seconds(options.endSeconds));  // another signal: at once
    gateway.drain(std::chrono::seconds(options.graceSeconds));
  }
  cluster->client->shutdown();  // nothing waits for the API server any more
  hastyCluster->client->shutdown();
  gateway.stop(std::chrono::milliseconds(0));
  if (!started) return failed(started.error());
  say("info", "gateway ended");
  return 0;
}

int keep(const program::Signals& signals, Options& options) {
  auto listeners = gateway::listen(options.gateway);
  if (!listeners) return failed(listeners.error());
  program::Kept kept;
  kept.program = [&](int crashes) {
    options.gateway.crashes = crashes;
    return run(signals, options, *std::move(listeners));
  };
  kept.crashed = [](int signal, bool again) {
    say("error", again ? "gateway crashed; another one takes its place" : "gateway crashed", {{"signal", std::to_string(signal)}});
  };
  kept.ending = [&] { *listeners = {}; };  // the gateway's own are the last ones: once it closes them, connections are refused
  return program::keep({}, kept);
}

}  // namespace

int main(int argc, char** argv) {
  boundHeap();
  const program::Signals signals;
  Options options;
  CLI::App app("Carries requests to functions on Kubernetes, and wakes them.", "pilotlight-gateway");
  addOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (auto done = complete(options); !done) {
    std::cerr << done.error() << "\n";
    return 2;
  }
  return options.awaitReady ? await(options) : keep(signals, options);
}
