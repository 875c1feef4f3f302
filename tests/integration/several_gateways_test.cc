// Limits over several gateways, which come, go and are killed.
#include "several_gateways.h"

#include <atomic>
#include <random>

namespace pilotlight::test {
namespace {

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
  gateways_.at(stopped)->signalGroup(SIGSTOP);
  for (auto& client : elsewhere) EXPECT_EQ(client->wait().status, 200);
  EXPECT_NE(owner(), nameOf(stopped));
  for (int i = 0; i < 4; ++i) elsewhere.push_back(std::make_unique<Client>(gatewayAt(1 + (stopped + i % 2) % 3), "f" + std::to_string(i)));
  gateways_.at(stopped)->signalGroup(SIGCONT);
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
  gateways_.at(stopped)->signalGroup(SIGSTOP);
  send(30, others);
  // What waits in the stopped one can't be known: it is the bound's one exception.
  ASSERT_TRUE(waitUntil([&] { return waiting(others) == kQueue; }, seconds(20))) << waiting(others) << " wait";
  EXPECT_NE(owner(), nameOf(stopped));
  gateways_.at(stopped)->signalGroup(SIGCONT);
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
