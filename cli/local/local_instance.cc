#include "cli/local/local_instance.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

#include "api/api.h"
#include "callhome/key_files.h"
#include "cli/app.h"
#include "cli/kubeconfig.h"
#include "cli/local/api_server.h"
#include "cli/local/deployment_controller.h"
#include "cli/local/log_store.h"
#include "cli/local/process_runner.h"
#include "cli/state_dir.h"
#include "kube/memory.h"
#include "nlohmann/json.hpp"
#include "operator/operator.h"

namespace pilotlight::local {

namespace {

std::expected<kube::Json, std::string> admit(const kube::Json& object) {
  auto admitted = api::admit(object);
  if (!admitted) return std::unexpected(api::toString(admitted.error()));
  return std::move(*admitted);
}

/// What a browser or curl on this machine would use.
std::string urlBase(const net::Address& address) {
  const bool any = address.ip == "0.0.0.0" || address.ip == "::";
  return "http://" + (any ? net::Address{"127.0.0.1", address.port} : address).toString();
}

}  // namespace

/// In the order of construction; destroyed the other way round.
struct LocalInstance::Impl {
  explicit Impl(LocalInstanceOptions options_)
      : options(std::move(options_)), cluster(kube::MemoryClusterOptions{.admit = admit, .now = {}}) {}

  std::expected<void, std::string> startGateway();
  std::expected<void, std::string> startWorkers();
  std::expected<void, std::string> startApi();

  const LocalInstanceOptions options;
  const std::string callHomeKey = callhome::randomKey();
  kube::MemoryCluster cluster;
  LogStore logs;
  std::optional<gateway::Gateway> gateway;
  std::optional<ProcessRunner> runner;
  std::optional<DeploymentController> deployments;
  std::optional<op::Operator> operator_;
  std::optional<ApiServer> api;
  std::optional<ManifestSource> files;
};

std::expected<void, std::string> LocalInstance::Impl::startGateway() {
  // Asked without SO_REUSEPORT, which would let two instances share the port in silence.
  if (auto probe = net::listenTcp(options.listen); !probe) {
    return std::unexpected(fmt::format(
        "{}. If another program uses the address, stop that, or choose another one with --listen 127.0.0.1:8081", probe.error()));
  }
  gateway::GatewayOptions config = options.config.gateway;
  config.name = "local";
  config.listen = options.listen;
  config.internalListen = {"127.0.0.1", 0};
  config.tls.listen = options.tlsListen;
  if (options.certificate) config.tls.certificates = {*options.certificate};
  config.accessLog = options.accessLog;
  config.writer = options.console;
  config.callHome.keys = {callHomeKey};
  gateway.emplace(cluster, std::move(config));
  return gateway->start();
}

std::expected<void, std::string> LocalInstance::Impl::startWorkers() {
  const std::string internal = gateway->internalAddress().toString();
  ProcessRunnerOptions processes;
  processes.shimPath = options.shimPath;
  processes.nativeHostPath = options.nativeHostPath;
  processes.stateDir = (options.stateDir / "runner").string();  // a folder of its own: it has its own lock
  processes.gateways = internal;
  processes.variables = options.config.shimVariables;
  processes.log = options.log;
  processes.endOrphans = true;
  runner.emplace(cluster, logs, std::move(processes));
  if (auto done = runner->start(); !done) return done;
  deployments.emplace(cluster);
  if (auto done = deployments->start(); !done) return done;
  op::OperatorOptions config = options.config.operator_;
  config.localPaths = true;
  config.urlBase = urlBase(gateway->address());
  config.clusterUrlBase = urlBase(gateway->internalAddress());
  config.gateways = internal;
  config.sourceNamespaces = {"*"};
  config.callHomeKey = callHomeKey;
  config.resizePods = false;  // processes request nothing
  config.logLevel = options.logLevel;
  config.log = options.log;
  operator_.emplace(cluster, *gateway, std::move(config));
  return operator_->start();
}

std::expected<void, std::string> LocalInstance::Impl::startApi() {
  ApiServerOptions config;
  config.token = randomToken();
  config.version = cli::kProductVersion;
  config.metrics = [this] { return gateway->metrics() + operator_->metrics(); };
  const std::string token = config.token;
  api.emplace(cluster, logs, std::move(config));
  if (auto done = api->start(); !done) return done;
  const cli::ApiAddress address{"http://" + api->address().toString(), token, cli::kLocalContext};
  return cli::writePrivateFile(options.stateDir / "kubeconfig", cli::writeKubeconfig(address));
}

LocalInstance::LocalInstance(LocalInstanceOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

LocalInstance::~LocalInstance() {
  stop();
}

std::expected<void, std::string> LocalInstance::start() {
  if (auto done = impl_->startGateway(); !done) return done;
  if (auto done = impl_->startWorkers(); !done) return done;
  if (auto done = impl_->startApi(); !done) return done;
  ManifestSourceOptions files;
  files.paths = impl_->options.files;
  files.report = impl_->options.report;
  impl_->files.emplace(impl_->cluster, std::move(files));
  return impl_->files->start();
}

void LocalInstance::stop() {
  auto& parts = *impl_;
  std::error_code ignored;
  std::filesystem::remove(parts.options.stateDir / "kubeconfig", ignored);
  // What could make new work goes first; replicas stay until the requests they hold have ended.
  if (parts.files) parts.files->stop();
  if (parts.api) parts.api->stop();
  if (parts.gateway) parts.gateway->stop(parts.options.stopGrace);
  if (parts.operator_) parts.operator_->stop();
  if (parts.deployments) parts.deployments->stop();
  if (parts.runner) parts.runner->stop();
  parts.cluster.shutdown();
}

bool LocalInstance::waitForRoutes(std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  const auto functions = impl_->cluster.list(kube::resources::functions, {});
  const auto routes = impl_->cluster.list(kube::resources::functionRoutes, {});
  if (!functions || !routes) return false;
  std::set<kube::Key> missing;
  for (const auto& function : functions->items) missing.insert(function.key());
  const auto look = [&](const kube::Object& route) {
    const auto* acknowledged = route.at("/status/gateways");
    if (acknowledged != nullptr && !acknowledged->empty()) missing.erase(route.key());
  };
  for (const auto& route : routes->items) look(route);
  kube::WatchOptions options;
  options.resourceVersion = routes->resourceVersion;
  const auto stream = impl_->cluster.watch(kube::resources::functionRoutes, options);
  while (stream && !missing.empty()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    const auto event = (*stream)->next(left);
    if (!event) break;
    if (*event && (*event)->type != kube::WatchEvent::Type::bookmark) look((*event)->object);
  }
  return missing.empty();
}

net::Address LocalInstance::tlsAddress() const {
  return impl_->gateway->tlsAddress();
}
net::Address LocalInstance::internalAddress() const {
  return impl_->gateway->internalAddress();
}

net::Address LocalInstance::address() const {
  return impl_->gateway->address();
}

kube::Client& LocalInstance::client() {
  return impl_->cluster;
}

}  // namespace pilotlight::local
