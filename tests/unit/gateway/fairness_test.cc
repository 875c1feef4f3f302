// The pool that functions share, reservations, and turns among functions when there is too little for all.
#include <algorithm>
#include <deque>

#include "api/shim_contract.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

/// A replica of every function of a test; requests run until the test ends them, or at once for those in `instant`.
class Handlers {
 public:
  Handlers() {
    server_.app.answer = [this](net::Exchange& exchange, const std::string&) { begin(exchange); };
  }
  ServerFixture& server() { return server_; }

  std::vector<std::string> started() const {
    std::lock_guard lock(mutex_);
    return started_;
  }
  /// Those that run until they are told to end.
  int running(const std::string& function) const {
    std::lock_guard lock(mutex_);
    const auto found = running_.find(function);
    return found == running_.end() ? 0 : static_cast<int>(found->second.size());
  }
  int mostAtOnce() const { return most_; }
  void setInstant(const std::string& function) {
    std::lock_guard lock(mutex_);
    instant_.push_back(function);
  }
  /// Ends the function's oldest request, once there is one.
  void finish(const std::string& function) {
    ASSERT_TRUE(eventually([&] { return running(function) > 0; })) << "nothing of " << function << " runs";
    server_.thread.sync([&] {
      net::Exchange* exchange = nullptr;
      {
        std::lock_guard lock(mutex_);
        auto& exchanges = running_[function];
        exchange = exchanges.front();
        exchanges.pop_front();
      }
      end(*exchange, function);
    });
  }
  void finishAll(const std::string& function) {
    while (running(function) > 0) finish(function);
  }

 private:
  void begin(net::Exchange& exchange) {
    if (exchange.head().path == contract::kTicketsPath) return exchange.respond(404, "text/plain", "");  // as a shim that knows none
    const std::string function(exchange.head().headers.get("X-Forwarded-Prefix").value_or("/").substr(1));
    std::lock_guard lock(mutex_);
    started_.push_back(function);
    most_ = std::max(most_.load(), ++atOnce_);
    if (std::ranges::find(instant_, function) == instant_.end()) return running_[function].push_back(&exchange);
    // A turn later, so that requests overlap.
    server_.thread.loop.post([this, function, &exchange] { end(exchange, function); });
  }
  void end(net::Exchange& exchange, const std::string& function) {
    {
      std::lock_guard lock(mutex_);
      --atOnce_;
    }
    exchange.respond(200, "text/plain", function);
  }

  mutable std::mutex mutex_;
  std::vector<std::string> started_;  // guarded by mutex_, as all below
  std::map<std::string, std::deque<net::Exchange*>> running_;
  std::vector<std::string> instant_;
  int atOnce_ = 0;
  std::atomic<int> most_ = 0;
  ServerFixture server_;  // last: its thread is the first to end
};

class FairnessTest : public GatewayTest {
 protected:
  void startWithPool(int pool) {
    options_.pool = pool;
    start();
  }
  api::FunctionRoute roomy(const std::string& name) {
    auto made = route(name);
    made.spec.backends[0].perReplica = 1000;
    return made;
  }
  void serve(const api::FunctionRoute& made) {
    apply(made);
    replica(made.metadata.name + "-pod", handlers_.server(), made.metadata.name);
  }
  void serve(const std::string& name) { serve(roomy(name)); }
  void serveReserved(const std::string& name, int reserved) {
    auto made = roomy(name);
    made.spec.reserved = reserved;
    serve(made);
  }
  /// A request whose answer the test reads later.
  std::unique_ptr<RawClient> send(const std::string& name) {
    auto client = std::make_unique<RawClient>(gateway_->address());
    client->send("GET /" + name + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return client;
  }
  void flood(const std::string& name, int count) {
    for (int i = 0; i < count; ++i) clients_.push_back(send(name));
    ASSERT_TRUE(eventually([&] { return load(name).inFlight + load(name).queued == count; }));
  }
  int metric(const std::string& series) {
    const std::string text = gateway_->metrics();
    const auto at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stoi(text.substr(at + series.size() + 2));
  }
  int functionsWaiting() { return metric("pilotlight_gateway_pool_waiting_functions"); }
  bool startedAre(std::size_t count) {
    return eventually([&] { return handlers_.started().size() == count; });
  }
  void expectAllAnswered() {
    for (auto& client : clients_) EXPECT_EQ(parse(client->readAll(seconds(20))).status, 200);
    EXPECT_TRUE(eventually(
        [&] { return std::ranges::all_of(gateway_->loads(), [](const auto& each) { return each.inFlight == 0 && each.queued == 0; }); }));
    EXPECT_EQ(metric("pilotlight_gateway_pool_taken"), 0);
    EXPECT_EQ(functionsWaiting(), 0);
  }

  Handlers handlers_;
  std::vector<std::unique_ptr<RawClient>> clients_;
};

TEST_F(FairnessTest, AFloodOfOneFunctionLeavesTheOthersTheirTurns) {
  startWithPool(4);
  serve("flood");
  for (int i = 0; i < 20; ++i) serve("quiet" + std::to_string(i));
  flood("flood", 40);
  ASSERT_TRUE(eventually([&] { return load("flood").inFlight == 4; }));
  ASSERT_TRUE(startedAre(4));
  for (int i = 0; i < 20; ++i) {
    flood("quiet" + std::to_string(i), 1);
    ASSERT_TRUE(eventually([&] { return functionsWaiting() == i + 2; }));
  }
  handlers_.finish("flood");
  for (std::size_t i = 0; i < 20; ++i) {  // the one slot that came back goes round: each quiet function once, the flood never
    const std::string quiet = "quiet" + std::to_string(i);
    ASSERT_TRUE(startedAre(5 + i));
    ASSERT_EQ(handlers_.started().back(), quiet);
    handlers_.finish(quiet);
  }
  ASSERT_TRUE(startedAre(25));
  EXPECT_EQ(handlers_.started().back(), "flood");
  handlers_.setInstant("flood");
  handlers_.finishAll("flood");
  expectAllAnswered();
  EXPECT_EQ(handlers_.mostAtOnce(), 4);
}

TEST_F(FairnessTest, SlowRequestsOfOneFunctionDoNotCrowdOutQuickOnesOfAnother) {
  startWithPool(4);
  serve("slow");
  serve("quick");
  flood("slow", 10);
  flood("quick", 10);
  ASSERT_TRUE(startedAre(4));
  ASSERT_TRUE(eventually([&] { return functionsWaiting() == 2; }));
  handlers_.finish("slow");
  handlers_.finish("slow");
  for (std::size_t i = 1; i <= 8; ++i) {  // two slots each: what quick gives back, it gets back
    ASSERT_TRUE(startedAre(5 + i));
    EXPECT_EQ(handlers_.running("quick"), 2);
    EXPECT_EQ(handlers_.running("slow"), 2);
    handlers_.finish("quick");
  }
  handlers_.setInstant("slow");
  handlers_.setInstant("quick");
  handlers_.finishAll("quick");
  handlers_.finishAll("slow");
  expectAllAnswered();
  EXPECT_EQ(handlers_.mostAtOnce(), 4);
}

TEST_F(FairnessTest, AReservedFunctionIsServedAtOnceWhileThePoolIsExhaustedAndNeverHasMoreThanItsOwn) {
  startWithPool(4);
  serve("flood");
  serveReserved("reserved", 2);
  EXPECT_EQ(metric("pilotlight_gateway_pool_slots{kind=\"reserved\"}"), 2);
  EXPECT_EQ(metric("pilotlight_gateway_pool_slots{kind=\"shared\"}"), 2);
  flood("flood", 10);
  ASSERT_TRUE(eventually([&] { return load("flood").inFlight == 2 && load("flood").queued == 8; }));
  ASSERT_TRUE(startedAre(2));
  flood("reserved", 3);
  ASSERT_TRUE(startedAre(4)) << "it waited for the pool";
  EXPECT_EQ(handlers_.running("reserved"), 2);
  EXPECT_EQ(load("reserved").queued, 1);
  handlers_.finish("flood");  // a shared slot is not for it
  ASSERT_TRUE(startedAre(5));
  EXPECT_EQ(handlers_.started().back(), "flood");
  handlers_.finish("reserved");
  ASSERT_TRUE(startedAre(6));
  EXPECT_EQ(handlers_.started().back(), "reserved");
  EXPECT_EQ(load("reserved").inFlight, 2);
  handlers_.setInstant("flood");
  handlers_.finishAll("reserved");
  handlers_.finishAll("flood");
  expectAllAnswered();
  EXPECT_EQ(handlers_.mostAtOnce(), 4);
}

TEST_F(FairnessTest, RefusesAtOnceWhenThePoolAndTheQueueAreFull) {
  startWithPool(1);
  serve("flood");
  auto small = roomy("small");
  small.spec.queue.requests = 1;
  serve(small);
  flood("flood", 1);
  ASSERT_TRUE(startedAre(1));
  flood("small", 1);
  ASSERT_TRUE(eventually([&] { return load("small").queued == 1; }));
  const auto refused = call(gateway_->address(), "/small");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_EQ(handlers_.running("flood"), 1) << "the answer waited for a slot";
  handlers_.finish("flood");
  ASSERT_TRUE(startedAre(2));
  handlers_.finish("small");
  expectAllAnswered();
  EXPECT_EQ(metric("pilotlight_gateway_pool_waits_total{namespace=\"default\",function=\"small\"}"), 1);
}

TEST_F(FairnessTest, SaysThatThePoolWasFullWhenARequestHasWaitedForItTooLong) {
  startWithPool(1);
  serve("busy");
  auto patient = roomy("patient");
  patient.spec.queue.wait = milliseconds(20);
  serve(patient);
  flood("busy", 1);
  const auto response = call(gateway_->address(), "/patient");
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.body.find("\"limit\":\"pool\""), std::string::npos) << response.body;
  EXPECT_EQ(metric("pilotlight_gateway_rejected_total{namespace=\"default\",function=\"patient\",limit=\"pool\"}"), 1);
  handlers_.finishAll("busy");
  expectAllAnswered();
}

TEST_F(FairnessTest, RefusesEveryRequestOfAFunctionThatReservedNothing) {
  startWithPool(4);
  serveReserved("off", 0);
  EXPECT_EQ(call(gateway_->address(), "/off").status, 429);
  EXPECT_TRUE(handlers_.started().empty());
}

TEST_F(FairnessTest, LeavesTheOthersATenthHoweverMuchIsReserved) {
  startWithPool(20);
  serveReserved("greedy", 500);
  serve("other");
  EXPECT_EQ(metric("pilotlight_gateway_pool_slots{kind=\"reserved\"}"), 500);
  EXPECT_EQ(metric("pilotlight_gateway_pool_slots{kind=\"shared\"}"), 2);
  EXPECT_EQ(metric("pilotlight_gateway_pool_size"), 20);
  flood("other", 3);
  ASSERT_TRUE(eventually([&] { return load("other").inFlight == 2 && load("other").queued == 1; }));
  ASSERT_TRUE(startedAre(2));
  handlers_.setInstant("other");
  handlers_.finishAll("other");
  expectAllAnswered();
}

TEST_F(FairnessTest, ReturnsAReservationWhenItsFunctionGoes) {
  startWithPool(4);
  auto made = roomy("reserved");
  made.spec.reserved = 3;
  apply(made);
  ASSERT_TRUE(eventually([&] { return metric("pilotlight_gateway_pool_slots{kind=\"shared\"}") == 1; }));
  ASSERT_TRUE(cluster_.remove(kube::resources::functionRoutes, {"default", "reserved"}, {}));
  EXPECT_TRUE(eventually([&] { return metric("pilotlight_gateway_pool_slots{kind=\"shared\"}") == 4; }));
}

TEST_F(FairnessTest, TakesWhatRunsAlongWhenAReservationComesAndGoes) {
  startWithPool(3);
  serve("f");
  serve("g");
  flood("f", 2);
  ASSERT_TRUE(startedAre(2));
  flood("g", 2);
  ASSERT_TRUE(startedAre(3));
  auto reserving = roomy("f");
  reserving.spec.reserved = 2;
  apply(reserving);
  // f's two are its own now, and of the three slots one is shared: g has it.
  EXPECT_TRUE(eventually([&] { return metric("pilotlight_gateway_pool_taken") == 1; }));
  EXPECT_EQ(load("g").queued, 1);
  apply(roomy("f"));
  EXPECT_TRUE(eventually([&] { return metric("pilotlight_gateway_pool_taken") == 3; }));
  EXPECT_EQ(load("g").queued, 1);
  handlers_.finish("f");
  ASSERT_TRUE(startedAre(4));
  EXPECT_EQ(handlers_.started().back(), "g");
  handlers_.finishAll("f");
  handlers_.finishAll("g");
  expectAllAnswered();
  EXPECT_EQ(handlers_.mostAtOnce(), 3);
}

TEST_F(FairnessTest, PassesOverAFunctionWhoseClientsHaveLeft) {
  startWithPool(1);
  serve("flood");
  serve("left");
  serve("next");
  flood("flood", 1);
  {
    const auto leaving = send("left");
    ASSERT_TRUE(eventually([&] { return functionsWaiting() == 1; }));
    flood("next", 1);
    ASSERT_TRUE(eventually([&] { return functionsWaiting() == 2; }));
  }
  ASSERT_TRUE(eventually([&] { return load("left").queued == 0; }));
  handlers_.finish("flood");
  ASSERT_TRUE(startedAre(2));
  EXPECT_EQ(handlers_.started().back(), "next");
  handlers_.finish("next");
  expectAllAnswered();
}

TEST_F(FairnessTest, HasNoLimitWithAPoolOfZero) {
  startWithPool(0);
  serve("f");
  flood("f", 50);
  ASSERT_TRUE(startedAre(50));
  EXPECT_EQ(metric("pilotlight_gateway_pool_size"), -1) << "there is none to show";
  handlers_.finishAll("f");
  expectAllAnswered();
}

TEST_F(FairnessTest, AnswersEveryoneUnderAMixedLoadAndNeverExceedsThePool) {
  startWithPool(3);
  constexpr int kQuiet = 5, kRequests = 30;
  std::vector<std::string> names{"flood"};
  for (int i = 0; i < kQuiet; ++i) names.push_back("quiet" + std::to_string(i));
  for (const std::string& name : names) {
    serve(name);
    handlers_.setInstant(name);
  }
  std::atomic<bool> quietDone = false;
  std::atomic<int> flooded = 0, answered = 0;
  std::vector<std::thread> flooding, quiet;
  for (int i = 0; i < 8; ++i)
    flooding.emplace_back([&] {
      while (!quietDone) flooded += call(gateway_->address(), "/flood").status == 200;
    });
  for (int i = 1; i <= kQuiet; ++i)
    quiet.emplace_back([&, i] {
      for (int n = 0; n < kRequests; ++n) answered += call(gateway_->address(), "/" + names[static_cast<std::size_t>(i)]).status == 200;
    });
  for (auto& thread : quiet) thread.join();
  quietDone = true;
  for (auto& thread : flooding) thread.join();
  EXPECT_EQ(answered, kQuiet * kRequests);
  EXPECT_GT(flooded, 0);
  EXPECT_LE(handlers_.mostAtOnce(), 3);
  expectAllAnswered();
}

}  // namespace
}  // namespace pilotlight::gateway::test
