// What clients see when a gateway crashes, and its keeper starts another one: docs/adr/0019.
#include <atomic>

#include "program/keeper.h"
#include "several_gateways.h"

namespace pilotlight::test {
namespace {

class ACrashedGateway : public SeveralGateways {
 protected:
  std::string metrics(int number) const {
    const net::Fd fd = connectTo({addressOf(number), kInternalPort});
    const std::string_view text = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    std::string answer;
    char buffer[4096];
    for (ssize_t size; (size = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<std::size_t>(size));
    return answer;
  }
};

/// Callers that make a connection for each request, without a pause.
class NewConnections {
 public:
  using Clock = std::chrono::steady_clock;
  using Span = std::pair<Clock::time_point, Clock::time_point>;
  static constexpr int kCallers = 8;

  explicit NewConnections(const net::Address& to) {
    for (int i = 0; i < kCallers; ++i) threads_.emplace_back([this, to, i] { call(to, std::to_string(i)); });
  }
  ~NewConnections() { stop(); }
  void stop() {
    over_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  int answered() const { return answered_; }
  int refused() const { return refused_; }
  const std::vector<Span>& cut() const { return cut_; }  ///< after stop()

 private:
  void call(const net::Address& to, const std::string& caller) {
    for (int i = 0; !over_; ++i) {
      const auto began = Clock::now();
      Client client(to, caller + "-" + std::to_string(i));
      if (!client.connected()) {
        ++refused_;
      } else if (client.wait().status == 200) {
        ++answered_;
      } else {
        std::lock_guard lock(mutex_);
        cut_.emplace_back(began, Clock::now());
      }
    }
  }
  std::atomic<bool> over_{false};
  std::atomic<int> answered_{0}, refused_{0};
  std::mutex mutex_;
  std::vector<Span> cut_;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

TEST_F(ACrashedGateway, CutsWhatItHasAndRefusesNobody) {
  function(std::nullopt, 100);
  replica(milliseconds(15));
  gateway(1);
  NewConnections load(gatewayAt(1));
  std::vector<NewConnections::Span> crashes;  // told to die, and dead
  for (int i = 0; i < 3; ++i) {
    const int before = load.answered();
    ASSERT_TRUE(waitUntil([&] { return load.answered() > before + 50; }, seconds(20))) << "it serves, or does so again";
    const auto told = NewConnections::Clock::now();
    crash(1);
    crashes.emplace_back(told, NewConnections::Clock::now());
  }
  const int before = load.answered();
  ASSERT_TRUE(waitUntil([&] { return load.answered() > before + 50; }, seconds(20)));
  EXPECT_NE(metrics(1).find("pilotlight_gateway_crashes_total 3\n"), std::string::npos);
  load.stop();
  EXPECT_EQ(load.refused(), 0);
  EXPECT_LE(load.cut().size(), crashes.size() * NewConnections::kCallers);
  for (const auto& [began, ended] : load.cut())
    EXPECT_TRUE(std::ranges::any_of(crashes, [&](const auto& crash) { return began <= crash.second && ended >= crash.first; }))
        << "it was not at the gateway when that crashed";
  EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
  std::cout << load.answered() << " answered, " << load.cut().size() << " cut by 3 crashes\n";
}

TEST_F(ACrashedGateway, LosesNoSlotAndGivesNoneTwice) {
  function(2, 100);
  replica(milliseconds(300));
  for (int i = 1; i <= 3; ++i) gateway(i);
  ASSERT_EQ(Client(gatewayAt(1), "first").wait().status, 200);
  const int crashed = owner().back() - '0';
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(std::make_unique<Client>(gatewayAt(1 + (crashed + i % 2) % 3), "e" + std::to_string(i)));
  ASSERT_TRUE(waitUntil([&] { return ledger_.now() == 2; }, seconds(10)));
  crash(crashed);
  for (int i = 0; i < 4; ++i) clients.push_back(std::make_unique<Client>(gatewayAt(crashed), "n" + std::to_string(i)));
  for (auto& client : clients) EXPECT_EQ(client->wait().status, 200);
  EXPECT_EQ(ledger_.most(), 2);
  EXPECT_THAT(ledger_.ranTwice(), testing::IsEmpty());
}

TEST_F(ACrashedGateway, IsNotStartedForEver) {
  gateway(1);
  for (int i = 0; i < program::KeeperOptions{}.crashesInARow; ++i) crash(1);
  EXPECT_EQ(gateways_.at(1)->wait(seconds(20)), 128 + SIGKILL);
  EXPECT_TRUE(gateways_.at(1)->out().ends_with("\"msg\":\"gateway crashed\",\"signal\":\"9\"}\n")) << gateways_.at(1)->out();
}

TEST_F(SeveralGateways, DoNotOutliveTheirKeepers) {
  gateway(1);
  const Process process = proper(1);
  kill(1);
  EXPECT_TRUE(waitUntil([&] { return !alive(process); }, seconds(20)));
  EXPECT_TRUE(waitUntil([&] { return !connectTo(gatewayAt(1)); }, seconds(20)));
}

TEST_F(SeveralGateways, RefuseConnectionsOnceTheyDrain) {
  function(std::nullopt, 100);
  replica(seconds(3));
  gateway(1);
  Client client(gatewayAt(1), "last");
  ASSERT_TRUE(waitUntil([&] { return ledger_.now() == 1; }, seconds(10)));
  gateways_.at(1)->signal(SIGTERM);
  EXPECT_TRUE(waitUntil([&] { return !connectTo(gatewayAt(1)); }, seconds(20)));
  EXPECT_EQ(ledger_.now(), 1) << "while it still has a request";
  EXPECT_EQ(client.wait().status, 200);
  EXPECT_EQ(gateways_.at(1)->wait(seconds(30)), 0);
}

}  // namespace
}  // namespace pilotlight::test
