// Several gateways as real processes, an API server over real sockets, and replicas that are the shim's own server with a handler
// that counts.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "api/api.h"
#include "cli/kubeconfig.h"
#include "cli/local/api_server.h"
#include "counting_replica.h"
#include "kube/memory.h"
#include "tests/support/process_tree.h"
#include "tests/support/subprocess.h"
#include "tests/support/wait.h"

namespace pilotlight::test {

using kube::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::uint16_t kPort = 18080, kInternalPort = 18081;

/// Addresses of this process alone.
inline std::string addressOf(int number) {
  const int pid = ::getpid();
  return "127." + std::to_string(64 + pid % 128) + "." + std::to_string(pid / 128 % 256) + "." + std::to_string(number);
}

inline std::expected<Json, std::string> admit(const Json& object) {
  auto admitted = api::admit(object);
  if (!admitted) return std::unexpected(api::toString(admitted.error()));
  return std::move(*admitted);
}

struct Reply {
  int status = 0;  ///< 0: the connection broke before the answer was whole
  std::string head, body;
};

/// None when nobody listens there.
inline net::Fd connectTo(const net::Address& to) {
  const auto address = net::toSocketAddress(to);
  net::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address->storage), address->length) != 0) fd.reset();
  return fd;
}

/// One request on a connection of its own.
class Client {
 public:
  Client(const net::Address& to, const std::string& id)
      : Client(to, "POST /f HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nX-Request-Id: ", id + "\r\n\r\nhi") {}
  static Reply get(const net::Address& from, const std::string& target) {
    return Client(from, "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "\r\n").wait();
  }
  Client(const net::Address& to, const std::string& begin, const std::string& end) : fd_(connectTo(to)) {
    if (!fd_) return;
    const std::string text = begin + end;
    if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) fd_.reset();
  }
  bool connected() const { return fd_.get() >= 0; }
  Reply wait() {
    std::string text;
    char buffer[4096];
    timeval patience{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (ssize_t size; (size = ::recv(fd_.get(), buffer, sizeof buffer, 0)) > 0;) text.append(buffer, static_cast<std::size_t>(size));
    const auto end = text.find("\r\n\r\n");
    if (text.size() < 12 || end == std::string::npos) return {};
    return {std::stoi(text.substr(9, 3)), text.substr(0, end), text.substr(end + 4)};
  }
  /// Nothing has come yet, neither an answer nor the connection's end.
  bool waits() const {
    char byte = 0;
    return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  void leave() { fd_.reset(); }

 private:
  net::Fd fd_;
};

class SeveralGateways : public testing::Test {
 protected:
  SeveralGateways() : cluster_(kube::MemoryClusterOptions{.admit = admit, .now = {}}) {
    local::ApiServerOptions options;
    options.token = local::randomToken();
    options.metrics = [] { return std::string(); };
    const std::string token = options.token;
    api_ = std::make_unique<local::ApiServer>(cluster_, logs_, std::move(options));
    EXPECT_TRUE(api_->start());
    EXPECT_TRUE(cli::writePrivateFile(keys_.path() / "key", local::randomToken()));
    kubeconfig_ = state_.path() / "kubeconfig";
    EXPECT_TRUE(cli::writePrivateFile(kubeconfig_, cli::writeKubeconfig({"http://" + api_->address().toString(), token, "local"})));
  }
  ~SeveralGateways() override {
    if (HasFailure()) {
      if (const auto route = cluster_.get(kube::resources::functionRoutes, {"default", "f"})) std::cout << route->json()["status"] << "\n";
      for (const auto& [number, gateway] : gateways_) std::cout << nameOf(number) << ": " << gateway->out() << gateway->err();
    }
    gateways_.clear();
    api_->stop();
    cluster_.shutdown();
  }

  void pod(const std::string& namespace_, const std::string& name, const Json& labels, const std::string& ip) {
    const Json object{{"apiVersion", "v1"},
                      {"kind", "Pod"},
                      {"metadata", {{"name", name}, {"namespace", namespace_}, {"labels", labels}}},
                      {"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "x"}}})}}}};
    ASSERT_TRUE(cluster_.create(kube::resources::pods, object, "test"));
    const Json ready = Json::array({{{"type", "Ready"}, {"status", "True"}}});
    const Json status{{"status", {{"phase", "Running"}, {"podIP", ip}, {"conditions", ready}}}};
    ASSERT_TRUE(cluster_.mergePatch(kube::resources::pods, {namespace_, name}, status, "test", "status"));
  }
  void removePod(const std::string& namespace_, const std::string& name) {
    EXPECT_TRUE(cluster_.remove(kube::resources::pods, {namespace_, name}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 0}));
  }

  void function(std::optional<int> reserved, int queue) {
    api::FunctionRoute route;
    route.metadata.name = "f";
    route.metadata.namespace_ = "default";
    route.spec.function = "f";
    route.spec.localPath = "/f";
    route.spec.created = "2026-01-01T00:00:00Z";
    route.spec.functionGeneration = 1;
    route.spec.reserved = reserved;
    route.spec.queue.requests = queue;
    route.spec.queue.wait = seconds(120);  // nobody gives up, however busy the machine is
    api::RouteBackend backend;
    backend.version = 1;
    backend.weight = 100;
    backend.deployment = "f-00001";
    backend.perReplica = 10;
    route.spec.backends.push_back(backend);
    kube::ApplyOptions options;
    options.fieldManager = "test";
    options.force = true;
    const auto applied = cluster_.apply(kube::resources::functionRoutes, api::write(route), options);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void replica(milliseconds takes) {
    const int number = static_cast<int>(replicas_.size()) + 1;
    replicas_.push_back(std::make_unique<CountingReplica>(net::Address{addressOf(100 + number), api::kShimPort}, 10, ledger_, takes));
    pod("default", "f-" + std::to_string(number), {{api::kLabelFunction, "f"}, {api::kLabelVersion, "1"}}, addressOf(100 + number));
  }

  /// A Deployment that nobody starts.
  void atZero() {
    const Json deployment{{"apiVersion", "apps/v1"},
                          {"kind", "Deployment"},
                          {"metadata", {{"name", "f-00001"}, {"namespace", "default"}, {"labels", {{api::kLabelFunction, "f"}}}}},
                          {"spec", {{"replicas", 0}}}};
    ASSERT_TRUE(cluster_.create(kube::resources::deployments, deployment, "test"));
  }

  static std::string nameOf(int number) { return "gw-" + std::to_string(number); }
  static net::Address gatewayAt(int number) { return {addressOf(number), kPort}; }
  /// Starts it, and waits until it serves.
  void gateway(int number) {
    Command command;
    command.argv = {PILOTLIGHT_GATEWAY,
                    "--kubeconfig",
                    kubeconfig_,
                    "--name",
                    nameOf(number),
                    "--namespace",
                    "home",
                    "--call-home-keys",
                    keys_.path().string(),
                    "--gateway-selector",
                    "component=gateway",
                    "--listen",
                    gatewayAt(number).toString(),
                    "--internal-listen",
                    net::Address{addressOf(number), kInternalPort}.toString(),
                    "--loops",
                    "2",
                    "--end-delay",
                    "0",
                    "--grace",
                    "20"};
    gateways_[number] = std::make_unique<Subprocess>(command);
    ASSERT_TRUE(waitUntil([&] { return static_cast<bool>(connectTo(gatewayAt(number))); }, seconds(20))) << gateways_[number]->err();
    pod("home", nameOf(number), {{"component", "gateway"}}, addressOf(number));
  }
  /// Each gateway knows all others.
  void meet() {
    const std::string all = "\npilotlight_gateway_known_gateways " + std::to_string(gateways_.size()) + "\n";
    for (const auto& [number, gateway] : gateways_) {
      const net::Address internal{addressOf(number), kInternalPort};
      ASSERT_TRUE(waitUntil([&] { return Client::get(internal, "/metrics").body.contains(all); }, seconds(20))) << nameOf(number);
    }
  }
  void kill(int number) {
    gateways_.at(number)->signal(SIGKILL);
    gateways_.at(number)->wait(seconds(5));
    gateways_.erase(number);
    removePod("home", nameOf(number));
  }
  /// The gateway proper, without its keeper.
  Process proper(int number) const {
    Process found;
    const auto runs = [&] {
      for (const Process& process : descendants(gateways_.at(number)->pid()))
        if (process.state != 'Z') found = process;
      return found.pid != 0;
    };
    EXPECT_TRUE(waitUntil(runs, seconds(20)));
    return found;
  }
  void crash(int number) {
    const Process process = proper(number);
    ASSERT_GT(process.pid, 0);
    ::kill(process.pid, SIGKILL);
    EXPECT_TRUE(waitUntil([&] { return !alive(process); }, seconds(20)));
  }
  void end(int number) {
    removePod("home", nameOf(number));  // as the others learn of a pod that is being deleted
    gateways_.at(number)->signal(SIGTERM);
    EXPECT_EQ(gateways_.at(number)->wait(seconds(30)), 0) << gateways_.at(number)->out();
    gateways_.erase(number);
  }
  std::string owner() {
    const auto route = cluster_.get(kube::resources::functionRoutes, {"default", "f"});
    return route ? route->stringAt("/status/owner/gateway") : "";
  }

  const TempDir state_, keys_;
  std::string kubeconfig_;
  kube::MemoryCluster cluster_;
  local::LogStore logs_;
  std::unique_ptr<local::ApiServer> api_;
  Ledger ledger_;
  std::vector<std::unique_ptr<CountingReplica>> replicas_;
  std::map<int, std::unique_ptr<Subprocess>> gateways_;
};

}  // namespace pilotlight::test
