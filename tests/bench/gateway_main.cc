// bench-gateway: a gateway on an in-memory cluster of functions whose replicas listen at the addresses of --backend.
// Function I has the host fI.bench and the local path /fI. Its replicas call home as shims do, each from its own address.
// Prints {"port": N} once all of that is known; ends at SIGTERM.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/api.h"
#include "gateway/gateway.h"
#include "kube/memory.h"
#include "tests/bench/load/options.h"

namespace pilotlight::bench {
namespace {

using kube::Json;

struct Options {
  std::string listen = "127.0.0.1:0";
  std::vector<std::string> backends;
  int routes = 1, loops = 1, perReplica = 1000, queue = 1000, pool = 10'000;
  std::string accessLog = "off";
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench-gateway: %s\n", why.c_str());
  std::exit(1);
}

net::Address address(const std::string& text) {
  auto parsed = net::parseAddress(text);
  if (!parsed) die(parsed.error());
  return *std::move(parsed);
}

api::FunctionRoute routeOf(const std::string& name, const Options& options) {
  api::FunctionRoute route;
  route.metadata.name = name;
  route.metadata.namespace_ = "default";
  route.spec.function = name;
  route.spec.hosts = {name + ".bench"};
  route.spec.localPath = "/" + name;
  route.spec.created = "2026-01-01T00:00:00Z";
  route.spec.functionGeneration = 1;
  route.spec.queue.requests = options.queue;
  api::RouteBackend backend;
  backend.version = 1;
  backend.deployment = name + "-00001";
  backend.perReplica = options.perReplica;
  route.spec.backends.push_back(backend);
  return route;
}

/// A connection to the gateway's internal listener from a replica's address.
class CallHome {
 public:
  CallHome(const net::Address& replica, const net::Address& gateway) : port_(replica.port) {
    auto fd = net::connectTcp(*net::toSocketAddress(gateway), replica.ip);
    if (!fd) die("no connection to the gateway from " + replica.ip);
    fd_ = *std::move(fd);
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    ::fcntl(fd_.get(), F_SETFL, flags & ~O_NONBLOCK);
  }

  void call(const std::string& pod, const std::string& uid) {
    const std::string body = Json{{"namespace", "default"}, {"pod", pod}, {"uid", uid}, {"port", port_}}.dump();
    const std::string request =
        "POST /_pilotlight/register HTTP/1.1\r\nHost: gateway\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      die("the call home is not taken");
    std::string answer;
    while (!answer.ends_with("\r\n\r\n")) {
      std::array<char, 1024> buffer;
      const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) die("the call home has no answer");
      answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (!answer.starts_with("HTTP/1.1 204")) die("the call home is answered with " + answer.substr(0, 12));
  }

 private:
  net::Fd fd_;
  const std::uint16_t port_;
};

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)), gateway_(cluster_, gatewayOptions()) {}
  ~Bench() { cluster_.shutdown(); }

  void start() {
    for (int i = 0; i < options_.routes; ++i) addFunction("f" + std::to_string(i));
    if (const auto started = gateway_.start(); !started) die(started.error());
    for (std::size_t i = 0; i < options_.backends.size(); ++i) {
      CallHome home(address(options_.backends[i]), gateway_.internalAddress());
      for (const auto& [name, uid] : pods_[i]) home.call(name, uid);
    }
    pods_.clear();
    awaitQuiet();
  }
  std::uint16_t port() const { return gateway_.address().port; }
  void stop() { gateway_.stop(std::chrono::seconds(1)); }

 private:
  gateway::GatewayOptions gatewayOptions() const {
    gateway::GatewayOptions options;
    options.listen = address(options_.listen);
    options.internalListen = {"127.0.0.1", 0};
    options.loops = options_.loops;
    options.pool = options_.pool;
    options.syncTimeout = std::chrono::minutes(2);
    options.accessLog = options_.accessLog == "all"      ? gateway::AccessLog::all
                        : options_.accessLog == "errors" ? gateway::AccessLog::errors
                                                         : gateway::AccessLog::off;
    return options;
  }

  void addFunction(const std::string& name) {
    kube::ApplyOptions apply;
    apply.fieldManager = "bench";
    if (const auto applied = cluster_.apply(kube::resources::functionRoutes, api::write(routeOf(name, options_)), apply); !applied)
      die(applied.error().message);
    pods_.resize(options_.backends.size());
    for (std::size_t i = 0; i < options_.backends.size(); ++i) {
      const std::string pod = name + "-00001-" + std::to_string(i);
      pods_[i].emplace_back(pod, addPod(pod, name));
    }
  }

  std::string addPod(const std::string& pod, const std::string& function) {
    const Json object{
        {"apiVersion", "v1"},
        {"kind", "Pod"},
        {"metadata", {{"name", pod}, {"namespace", "default"}, {"labels", {{api::kLabelFunction, function}, {api::kLabelVersion, "1"}}}}},
        {"spec", {{"containers", Json::array({{{"name", "function"}, {"image", "x"}}})}}}};
    const auto created = cluster_.create(kube::resources::pods, object, "bench");
    if (!created) die(created.error().message);
    return created->uid();
  }

  /// Every route has been acknowledged: nothing but requests is left to do.
  void awaitQuiet() {
    for (int i = 0; i < options_.routes; ++i)
      while (!acknowledged("f" + std::to_string(i))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  bool acknowledged(const std::string& name) {
    const auto read = cluster_.get(kube::resources::functionRoutes, {"default", name});
    return read && read->intAt("/status/gateways/0/observedGeneration") == read->generation();
  }

  const Options options_;
  kube::MemoryCluster cluster_;
  gateway::Gateway gateway_;
  std::vector<std::vector<std::pair<std::string, std::string>>> pods_;  // name and uid, by backend
};

}  // namespace
}  // namespace pilotlight::bench

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  Options options;
  CLI::App app("A gateway for measuring");
  app.add_option("--listen", options.listen);
  app.add_option("--backend", options.backends, "address of a replica of every function; repeat for more")->required();
  app.add_option("--routes", options.routes);
  app.add_option("--loops", options.loops);
  app.add_option("--per-replica", options.perReplica);
  app.add_option("--queue", options.queue);
  app.add_option("--pool", options.pool, "requests at once of all functions; 0: no limit");
  app.add_option("--access-log", options.accessLog)->check(CLI::IsMember({"off", "errors", "all"}));
  CLI11_PARSE(app, argc, argv);
  raiseFileLimit();

  sigset_t ends;  // blocked before any thread is started, so that all inherit it
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  Bench bench(options);
  bench.start();
  std::printf("{\"port\": %u}\n", bench.port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  bench.stop();
  return 0;
}
