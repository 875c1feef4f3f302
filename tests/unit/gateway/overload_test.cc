// Three times as many requests as a function can take: each is answered or refused, and no replica ever has more than its limit.
#include "faults_fixture.h"

namespace pilotlight::gateway::test {
namespace {

/// A replica whose requests stay until the test ends them. It counts how many it has at once.
class Holding {
 public:
  Holding() {
    server.app.answer = [this](net::Exchange& exchange, const std::string&) {
      held_.push_back(&exchange);
      most = std::max(most.load(), static_cast<int>(held_.size()));
      ++started;
    };
  }
  /// Answers what it has; what is granted meanwhile stays for the next time.
  void answerAll() {
    server.thread.sync([this] {
      for (net::Exchange* exchange : std::exchange(held_, {})) exchange->respond(200, "text/plain", "done");
    });
  }
  std::atomic<int> started = 0, most = 0;

 private:
  std::vector<net::Exchange*> held_;  // on the server's thread

 public:
  ServerFixture server;  // last: its thread is the first to end
};

TEST_F(GatewayTest, UnderThreeTimesTheLoadAnswersWhatFitsRefusesTheRestAndExceedsNoReplicasLimit) {
  constexpr int kPerReplica = 4, kReplicas = 2, kSlots = kPerReplica * kReplicas, kQueue = kSlots, kOffered = 3 * kSlots, kWaves = 20;
  auto limited = route();
  limited.spec.backends[0].perReplica = kPerReplica;
  limited.spec.queue.requests = kQueue;
  apply(limited);
  start();
  std::array<Holding, kReplicas> replicas;
  for (int i = 0; i < kReplicas; ++i) replica("p" + std::to_string(i), replicas[static_cast<std::size_t>(i)].server);
  const auto started = [&] { return replicas[0].started + replicas[1].started; };
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kOffered; ++i) clients.push_back(std::make_unique<RawClient>(gateway_->address()));
  // As many as fit: once they are at the replicas, the gateway knows both.
  const auto ask = [&](int count) {
    for (int i = 0; i < count; ++i) clients[static_cast<std::size_t>(i)]->send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
  };
  ask(kSlots);
  ASSERT_TRUE(eventually([&] { return started() == kSlots; }));
  for (Holding& each : replicas) each.answerAll();
  for (int i = 0; i < kSlots; ++i) ASSERT_EQ(readAnswer(clients[static_cast<std::size_t>(i)]->fd()).status(), 200);
  for (int wave = 1; wave <= kWaves; ++wave) {
    ask(kOffered);
    // The refusals are there before any handler has ended.
    ASSERT_TRUE(eventually([&] { return load().inFlight == kSlots && load().queued == kQueue; })) << gateway_->metrics();
    const std::string refused = "pilotlight_gateway_rejected_total{namespace=\"default\",function=\"f\",limit=\"queue.requests\"} " +
                                std::to_string(wave * (kOffered - kSlots - kQueue)) + "\n";
    ASSERT_TRUE(eventually([&] { return gateway_->metrics().find(refused) != std::string::npos; })) << gateway_->metrics();
    const int all = kSlots + wave * (kSlots + kQueue);
    for (const int taken : {all - kQueue, all}) {
      ASSERT_TRUE(eventually([&] { return started() == taken; }));
      for (Holding& each : replicas) each.answerAll();
    }
    std::map<int, int> statuses;
    for (const auto& client : clients) ++statuses[readAnswer(client->fd()).status()];
    ASSERT_EQ(statuses, (std::map<int, int>{{200, kSlots + kQueue}, {429, kOffered - kSlots - kQueue}}));
  }
  for (const Holding& each : replicas) EXPECT_EQ(each.most, kPerReplica);
  EXPECT_TRUE(idle());
}

}  // namespace
}  // namespace pilotlight::gateway::test
