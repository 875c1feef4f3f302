// Limits over several gateways: real processes that come, go and are killed, an API server over real sockets, and replicas that
// are the shim's own server with a handler that counts.
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <random>

#include "api/api.h"
#include "cli/kubeconfig.h"
#include "cli/local/api_server.h"
#include "counting_replica.h"
#include "kube/memory.h"
#include "tests/support/subprocess.h"
#include "tests/support/wait.h"

namespace pilotlight::test {
namespace {

using kube::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 18080, kInternalPort = 18081;

/// Addresses of this process alone.
std::string addressOf(int number) {
  const int pid = ::getpid();
  return "127." + std::to_string(64 + pid % 128) + "." + std::to_string(pid / 128 % 256) + "." + std::to_string(number);
}

std::expected<Json, std::string> admit(const Json& object) {
  auto admitted = api::admit(object);
  if (!admitted) return std::unexpected(api::toString(admitted.error()));
  return std::move(*admitted);
}

struct Reply {
  int status = 0;  ///< 0: the connection broke before the answer was whole
  std::string head, body;
};

/// None when nobody listens there.
net::Fd connectTo(const net::Address& to) {
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

TEST_F(SeveralGateways, HaveOneReservationAndOneQueueTogether) {
  function(3, 5);
  replica(milliseconds(2500));
  replica(milliseconds(2500));
  for (int i = 1; i <= 3; ++i) gateway(i);
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<int> statuses;
  const auto send = [&](int i) { clients.push_back(std::make_unique<Client>(gatewayAt(1 + i % 3), "r" + std::to_string(i))); };
  for (int i = 0; i < 3; ++i) send(i);
  ASSERT_TRUE(waitUntil([&] { return ledger_.now() == 3; }, seconds(2)));
  for (int i = 3; i < 12; ++i) send(i);
  for (auto& client : clients) statuses.push_back(client->wait().status);
  EXPECT_EQ(std::ranges::count(statuses, 200), 8) << testing::PrintToString(statuses);
  EXPECT_EQ(std::ranges::count(statuses, 429), 4) << testing::PrintToString(statuses);
  EXPECT_EQ(ledger_.most(), 3);
  EXPECT_NE(owner(), "");
}

TEST_F(SeveralGateways, GiveNoSlotAgainWhileTheHandlerOfAClientThatLeftStillRuns) {
  function(2, 100);
  replica(milliseconds(1000));
  for (int i = 1; i <= 2; ++i) gateway(i);
  std::vector<std::unique_ptr<Client>> leaving, staying;
  for (int i = 0; i < 2; ++i) leaving.push_back(std::make_unique<Client>(gatewayAt(1 + i), "l" + std::to_string(i)));
  ASSERT_TRUE(waitUntil([&] { return ledger_.now() == 2; }, seconds(10)));
  for (int i = 0; i < 4; ++i) staying.push_back(std::make_unique<Client>(gatewayAt(1 + i % 2), "s" + std::to_string(i)));
  for (auto& client : leaving) client->leave();
  for (auto& client : staying) EXPECT_EQ(client->wait().status, 200);
  EXPECT_EQ(ledger_.most(), 2);
}

TEST_F(SeveralGateways, AreNotHeldUpByAnOwnerThatIsStoppedWhichDoesNoHarmWhenItGoesOn) {
  function(2, 100);
  replica(milliseconds(300));
  for (int i = 1; i <= 3; ++i) gateway(i);
  ASSERT_EQ(Client(gatewayAt(1), "first").wait().status, 200);
  const int stopped = owner().back() - '0';
  std::vector<std::unique_ptr<Client>> there, elsewhere;
  for (int i = 0; i < 6; ++i) there.push_back(std::make_unique<Client>(gatewayAt(stopped), "t" + std::to_string(i)));
  for (int i = 0; i < 12; ++i) elsewhere.push_back(std::make_unique<Client>(gatewayAt(1 + (stopped + i % 2) % 3), "e" + std::to_string(i)));
  ASSERT_TRUE(waitUntil([&] { return ledger_.now() == 2; }, seconds(10)));
  gateways_.at(stopped)->signal(SIGSTOP);
  for (auto& client : elsewhere) EXPECT_EQ(client->wait().status, 200);
  EXPECT_NE(owner(), nameOf(stopped));
  for (int i = 0; i < 4; ++i) elsewhere.push_back(std::make_unique<Client>(gatewayAt(1 + (stopped + i % 2) % 3), "f" + std::to_string(i)));
  gateways_.at(stopped)->signal(SIGCONT);
  for (auto& client : there) EXPECT_EQ(client->wait().status, 200);
  EXPECT_EQ(ledger_.most(), 2);
  EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
}

/// A function without a reservation, at zero, and clients that wait for it.
class OneQueue : public SeveralGateways {
 protected:
  static constexpr int kQueue = 20;
  void SetUp() override {
    atZero();
    function(std::nullopt, kQueue);
    for (int i = 1; i <= 3; ++i) gateway(i);
    meet();
  }
  void send(int number) { clients_.push_back({number, std::make_unique<Client>(gatewayAt(number), "q" + std::to_string(++sent_))}); }
  void send(int count, const std::vector<int>& numbers) {
    for (int i = 0; i < count; ++i) send(numbers[static_cast<std::size_t>(i) % numbers.size()]);
  }
  static std::vector<int> othersThan(int number) { return {1 + number % 3, 1 + (number + 1) % 3}; }
  std::ptrdiff_t waiting(const std::vector<int>& numbers) const {
    return std::ranges::count_if(clients_,
                                 [&](const auto& each) { return std::ranges::count(numbers, each.number) > 0 && each.client->waits(); });
  }
  std::ptrdiff_t waiting() const {
    return std::ranges::count_if(clients_, [](const auto& each) { return each.client->waits(); });
  }
  /// Sends more than there is room for, until all of it is taken: places of those that were cut come back when their gateway is missed.
  void fill(const std::vector<int>& numbers) {
    ASSERT_TRUE(waitUntil(
        [&] {
          send(30, numbers);
          return waitUntil([&] { return waiting() <= kQueue; }, seconds(10)) && waiting() == kQueue;
        },
        seconds(20)))
        << waiting() << " wait";
  }
  void kill(int number) {
    SeveralGateways::kill(number);
    std::erase_if(clients_, [&](const auto& each) { return each.number == number; });  // cut, or refused before
  }
  /// The function comes up: those that wait are answered, once, and nobody else has been.
  void comeUp(std::ptrdiff_t waited) {
    replica(milliseconds(10));
    std::ptrdiff_t answered = 0;
    for (const auto& each : clients_) {
      const Reply reply = each.client->wait();
      if (reply.status == 200) ++answered;
      if (reply.status == 200) continue;
      EXPECT_EQ(reply.status, 429) << reply.body;
      EXPECT_THAT(reply.head, testing::HasSubstr("Retry-After: "));
      EXPECT_THAT(reply.body, testing::HasSubstr("queue.requests"));
    }
    EXPECT_EQ(answered, waited);
    EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
  }

  struct Sent {
    int number;
    std::unique_ptr<Client> client;
  };
  std::vector<Sent> clients_;
  int sent_ = 0;
};

TEST_F(OneQueue, HoldsNoMoreInAllGatewaysTogetherThanItsBound) {
  send(90, {1, 2, 3});
  ASSERT_TRUE(waitUntil([&] { return waiting() == kQueue; }, seconds(20))) << waiting() << " wait";
  comeUp(kQueue);
}

TEST_F(OneQueue, HasRoomInOneGatewayForAllOfIt) {
  send(30, {2});
  ASSERT_TRUE(waitUntil([&] { return waiting() == kQueue; }, seconds(20))) << waiting() << " wait";
  send(10, {1, 3});
  ASSERT_TRUE(waitUntil([&] { return waiting() == kQueue; }, seconds(20))) << waiting() << " wait";
  comeUp(kQueue);
}

TEST_F(OneQueue, StaysWithinItsBoundWhileGatewaysComeAndAreKilled) {
  fill({1, 2, 3});
  std::vector<int> alive{1, 2, 3};
  int next = 4;
  for (int round = 0; round < 4; ++round) {
    // The one that counts, or another one.
    const auto victim = std::ranges::find_if(alive, [&](int number) { return (nameOf(number) == owner()) == (round % 2 == 0); });
    ASSERT_NE(victim, alive.end()) << owner();
    kill(*victim);
    alive.erase(victim);
    ASSERT_LE(waiting(), kQueue);
    gateway(next);
    alive.push_back(next++);
    meet();
    fill(alive);
  }
  comeUp(kQueue);
}

TEST_F(OneQueue, LosesNothingWhenTheGatewayThatCountsIsStopped) {
  fill({1, 2, 3});
  const int stopped = owner().back() - '0';
  const std::vector<int> others = othersThan(stopped);
  gateways_.at(stopped)->signal(SIGSTOP);
  send(30, others);
  // What waits in the stopped one can't be known: it is the bound's one exception.
  ASSERT_TRUE(waitUntil([&] { return waiting(others) == kQueue; }, seconds(20))) << waiting(others) << " wait";
  EXPECT_NE(owner(), nameOf(stopped));
  gateways_.at(stopped)->signal(SIGCONT);
  const auto accepted = waiting();
  EXPECT_GT(accepted, kQueue);
  comeUp(accepted);
}

TEST_F(OneQueue, StaysWithinItsBoundAndLosesNothingWhenTheGatewayThatCountsEnds) {
  fill({1, 2, 3});
  const int ends = owner().back() - '0';
  removePod("home", nameOf(ends));
  gateways_.at(ends)->signal(SIGTERM);
  send(30, othersThan(ends));
  ASSERT_TRUE(waitUntil([&] { return waiting() == kQueue; }, seconds(20))) << waiting() << " wait";
  EXPECT_NE(owner(), nameOf(ends));
  comeUp(kQueue);
  EXPECT_EQ(gateways_.at(ends)->wait(seconds(30)), 0);
}

class AColdStart : public SeveralGateways, public testing::WithParamInterface<std::optional<int>> {};

INSTANTIATE_TEST_SUITE_P(Of, AColdStart, testing::Values(std::nullopt, 5),
                         [](const auto& info) { return info.param ? "AReservation" : "ASharedFunction"; });

TEST_P(AColdStart, IsOneForAllGateways) {
  atZero();
  function(GetParam(), 100);
  const auto raised = [&] { return cluster_.get(kube::resources::deployments, {"default", "f-00001"}); };
  const auto made = raised()->generation();
  for (int i = 1; i <= 3; ++i) gateway(i);
  meet();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 9; ++i) clients.push_back(std::make_unique<Client>(gatewayAt(1 + i % 3), "c" + std::to_string(i)));
  ASSERT_TRUE(waitUntil([&] { return raised()->intAt("/spec/replicas") == 1; }, seconds(10)));
  replica(milliseconds(20));
  for (auto& client : clients) EXPECT_EQ(client->wait().status, 200);
  EXPECT_EQ(raised()->generation(), made + 1) << "raised once";
  if (!GetParam()) EXPECT_EQ(owner(), "") << "each held less than its share of the queue: there was nothing to tell";
  EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
}

TEST_F(SeveralGateways, LightAReplicaThatNobodyKnewToBeParked) {
  function(2, 100);
  replica(milliseconds(20));
  replicas_[0]->park();
  for (int i = 1; i <= 3; ++i) gateway(i);
  // First the owner finds out as it asks what runs, then whoever sends a request there.
  for (int round = 1; round <= 4; ++round) {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 6; ++i)
      clients.push_back(std::make_unique<Client>(gatewayAt(1 + (round + i) % 3), std::to_string(round) + "-" + std::to_string(i)));
    for (auto& client : clients) EXPECT_EQ(client->wait().status, 200);
    EXPECT_EQ(replicas_[0]->lights(), round);
    replicas_[0]->park();
  }
  EXPECT_LE(ledger_.most(), 2);
  EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
}

TEST_F(SeveralGateways, GoOnWithoutALimitWhenItIsTakenAway) {
  function(1, 100);
  replica(milliseconds(200));
  for (int i = 1; i <= 2; ++i) gateway(i);
  ASSERT_EQ(Client(gatewayAt(1), "limited").wait().status, 200);
  function(std::nullopt, 100);
  ASSERT_TRUE(waitUntil(
      [&] {
        std::vector<std::unique_ptr<Client>> clients;
        for (int i = 0; i < 6; ++i) clients.push_back(std::make_unique<Client>(gatewayAt(1 + i % 2), "u"));
        for (auto& client : clients) EXPECT_EQ(client->wait().status, 200);
        return ledger_.most() == 6;
      },
      seconds(20)));
}

TEST_F(SeveralGateways, KeepTheirLimitsWhileGatewaysComeGoAndAreKilled) {
  constexpr int kReserved = 4;
  function(kReserved, 10'000);
  replica(milliseconds(15));
  replica(milliseconds(15));
  for (int i = 1; i <= 3; ++i) gateway(i);

  std::mutex mutex;
  std::vector<int> alive{1, 2, 3};
  std::set<int> killed;  // guarded by mutex, as alive
  std::atomic<bool> over{false};
  std::atomic<int> answered{0}, cut{0};
  std::vector<std::string> wrong;
  const auto work = [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; !over; ++i) {
      const std::string id = std::to_string(thread) + "-" + std::to_string(i);
      int number = 0;
      {
        std::lock_guard lock(mutex);
        number = alive[random() % alive.size()];
      }
      Client client(gatewayAt(number), id);
      if (!client.connected()) continue;  // it has ended in between
      const Reply reply = client.wait();
      const int runs = ledger_.runs(id);
      std::lock_guard lock(mutex);
      if (reply.status == 200 && runs == 1)
        ++answered;
      else if (reply.status == 0 && runs <= 1 && killed.contains(number))
        ++cut;
      else
        wrong.push_back(id + " at " + std::to_string(number) + ": status " + std::to_string(reply.status) + ", ran " +
                        std::to_string(runs) + " times " + reply.body);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 24; ++i) threads.emplace_back(work, i);

  int next = 4;
  for (int round = 0; round < 8; ++round) {
    std::this_thread::sleep_for(milliseconds(400));  // load between the faults; nothing is judged by it
    // Who owns the function is hit most often: nothing happens otherwise.
    int victim = 0;
    const std::string name = owner();
    {
      std::lock_guard lock(mutex);
      victim = alive.front();
      for (const int number : alive)
        if (round % 3 != 2 && nameOf(number) == name) victim = number;
      std::erase(alive, victim);
      if (round % 2 == 0) killed.insert(victim);
    }
    round % 2 == 0 ? kill(victim) : end(victim);
    gateway(next);
    std::lock_guard lock(mutex);
    alive.push_back(next++);
  }
  over = true;
  for (auto& thread : threads) thread.join();

  EXPECT_THAT(wrong, testing::IsEmpty());
  EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
  EXPECT_EQ(ledger_.most(), kReserved);  // never more, and all of it used
  EXPECT_GT(answered, 200);
  std::cout << answered << " answered, " << cut << " cut by kills\n";
}

}  // namespace
}  // namespace pilotlight::test
