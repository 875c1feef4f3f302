// pilotlight-operator: the operator on a cluster. Of several that run, the one that holds the Lease works, the others stand by.
// Exit codes: 0 it was told to end; 1 it could not start, or lost the Lease; 2 wrong usage.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "kube/lease.h"
#include "operator/leader.h"
#include "operator/settings.h"
#include "program/cluster.h"
#include "program/config.h"
#include "program/hosts.h"
#include "program/signals.h"

namespace {

using namespace pilotlight;

struct Options {
  program::ClusterOptions cluster{.rest = {.userAgent = "pilotlight-operator"}};
  std::string listen = "0.0.0.0:8082";
  std::string namespace_, identity, config;
  std::string leaseName = "pilotlight-operator";
  int leaseSeconds = 15;
  op::LeaderOptions leader{.operator_ = {.workers = 4}, .pods = {}, .loads = {}};
  bool networkPolicies = true;
  core::NetworkOptions network;
};

const CLI::Validator isJsonObject(
    [](const std::string& text) { return kube::Json::accept(text) && text.starts_with('{') ? "" : "must be a JSON object"; }, "JSON");

void addOptions(CLI::App& app, Options& options) {
  app.add_option("--kubeconfig", options.cluster.kubeconfig, "file; default: $KUBECONFIG, else the pod's own account");
  app.add_option("--context", options.cluster.context, "of the kubeconfig; default: its current one");
  app.add_option("--namespace", options.namespace_, "where gateways and Lease are; default: $POD_NAMESPACE, else the account's");
  app.add_option("--watch-namespace", options.leader.operator_.watchNamespace, "Functions of this namespace only; default: of all");
  app.add_option("--listen", options.listen, "address for /metrics, /healthz, /readyz")->capture_default_str();
  app.add_option("--identity", options.identity, "in the Lease; default: $POD_NAME, else the host's name, and the process");
  app.add_option("--lease", options.leaseName, "name of the Lease")->capture_default_str();
  app.add_option("--lease-seconds", options.leaseSeconds, "after which another may take a Lease that is not renewed")
      ->check(CLI::Range(3, 600))
      ->capture_default_str();
  auto& serve = options.leader.operator_;
  app.add_option("--gateways", serve.gateways, "ip:port,… of internal listeners that shims call; default: the Service below");
  app.add_option("--gateways-service", options.leader.service, "whose cluster IP, with --gateway-port, shims call")->capture_default_str();
  app.add_option("--call-home-keys", options.leader.keyFolder, "folder with the gateways' key for shims, as a file `key`");
  app.add_option("--gateway-service", serve.gatewayService, "DNS name that the functions' Services lead to")->capture_default_str();
  app.add_option("--gateway-selector", options.leader.pods.selector, "labels of the gateways' pods")->capture_default_str();
  app.add_option("--gateway-port", options.leader.loads.port, "of the gateways' internal listeners")->capture_default_str();
  app.add_option("--network-policies", options.networkPolicies, "make one for each function")->capture_default_str();
  app.add_option("--operator-selector", options.leader.operatorSelector,
                 "labels of the operator's own pods, which functions' policies let in");
  app.add_option("--monitoring-namespaces", options.network.monitoringNamespaces,
                 "JSON of a LabelSelector: whose pods may read functions' metrics, at the port of requests; default: none")
      ->check(isJsonObject);
  app.add_option("--dns", options.network.dns, "JSON of a NetworkPolicy's egress rule: where DNS is, for functions with spec.network")
      ->check(isJsonObject)
      ->capture_default_str();
  app.add_option(
         "--watch-sources", serve.sourceNamespaces,
         "namespaces, or *, where replicas are replaced when a Secret or ConfigMap with variables changes; needs the right to list and "
         "watch both there")
      ->delimiter(',');
  program::addHostOptions(app, serve.hosts);
  app.add_option("--shim-image", serve.shimImage, "holds the shim, for images that do not")->capture_default_str();
  app.add_option("--history", serve.history, "versions kept beside the one that serves")->check(CLI::Range(0, 1000))->capture_default_str();
  app.add_option("--workers", serve.workers, "Functions reconciled at once")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--config", options.config, "YAML file with a section `operator`: docs/settings.md");
  app.add_option("--log-level", serve.logLevel, "of the log on stdout")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
}

kube::LeaseOptions leaseOptions(const Options& options) {
  kube::LeaseOptions lease;
  lease.lease = {options.namespace_, options.leaseName};
  lease.identity = options.identity;
  lease.duration = std::chrono::seconds(options.leaseSeconds);
  lease.renewDeadline = lease.duration * 2 / 3;
  lease.retryPeriod = std::max(lease.duration / 8, std::chrono::milliseconds(250));
  return lease;
}

void complete(Options& options, const program::Cluster& cluster) {
  if (options.namespace_.empty()) options.namespace_ = program::environment("POD_NAMESPACE");
  if (options.namespace_.empty()) options.namespace_ = cluster.namespace_;
  if (options.identity.empty()) {
    const std::string pod = program::environment("POD_NAME");
    options.identity = (pod.empty() ? program::hostName() : pod) + "_" + std::to_string(std::random_device()());
  }
  options.leader.pods.namespace_ = options.namespace_;
  options.leader.network = options.networkPolicies ? std::optional(options.network) : std::nullopt;
}

/// From winning the Lease until a signal. False: it could not start.
bool lead(const program::Signals& signals, op::Leader& leader, const op::Log& log) {
  if (auto started = leader.start(); !started) {
    log.error("operator did not start", {{"error", started.error()}});
    return false;
  }
  ::malloc_trim(0);  // what the first lists needed
  while (signals.wait() != program::Signals::Event::end) {
  }
  return true;
}

int run(const program::Signals& signals, Options& options, const net::Address& listen) {
  const op::Log log(options.leader.operator_.logLevel, {});
  auto cluster = program::openCluster(options.cluster);
  // Connections of its own: a Lease is renewed however much else is written.
  auto leaseCluster = program::openCluster(options.cluster);
  if (!cluster || !leaseCluster) {
    log.error("operator did not start", {{"error", cluster ? leaseCluster.error() : cluster.error()}});
    return 1;
  }
  complete(options, *cluster);
  const kube::LeaseOptions lease = leaseOptions(options);
  if (auto problem = kube::leaseProblem(lease)) {
    log.error("operator did not start", {{"error", *problem}});
    return 1;
  }

  op::Leader leader(*cluster->client, log, options.leader);
  std::atomic<bool> won{false}, ending{false};
  op::Endpoints endpoints({[&] { return leader.metrics(); }, [&] { return !won || leader.started(); }});
  const auto address = endpoints.start(listen);
  if (!address) {
    log.error("operator did not start", {{"error", address.error()}});
    return 1;
  }
  kube::LeaseElector elector(*leaseCluster->client, lease,
                             {.won =
                                  [&] {
                                    won = true;
                                    program::Signals::notify();
                                  },
                              .lost =
                                  [&] {
                                    if (ending) return;
                                    // Nothing of ours may be written any more: to end at once is the surest.
                                    log.error("the Lease is lost", {{"identity", lease.identity}});
                                    std::_Exit(1);
                                  }});
  elector.start();
  log.info("operator stands by", {{"lease", lease.lease.toString()}, {"identity", lease.identity}, {"listen", address->toString()}});
  const bool led = signals.wait() == program::Signals::Event::notified;
  const bool good = !led || lead(signals, leader, log);
  log.info("operator ends", {});
  leader.stop();
  ending = true;
  elector.stop();
  cluster->client->shutdown();
  endpoints.stop();
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  ::mallopt(M_ARENA_MAX, 2);  // few heaps: some twenty threads would each have one
  const program::Signals signals;
  Options options;
  CLI::App app("Runs Functions on Kubernetes: versions, Deployments, routes, replicas.", "pilotlight-operator");
  addOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto listen = net::parseAddress(options.listen);
  if (!listen) {
    std::cerr << "--listen " << options.listen << ": " << listen.error() << "\n";
    return 2;
  }
  const api::SettingsTarget targets[] = {{op::settings(), &options.leader.operator_}};
  if (auto read = program::readConfig(options.config, targets); !read) {
    std::cerr << read.error() << "\n";
    return 2;
  }
  return run(signals, options, *listen);
}
