// What the operator hears of a gateway: GET /_pilotlight/loads, over real sockets.
#include "core/load_line.h"
#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

/// A listener that reads line by line.
class Listening {
 public:
  explicit Listening(const net::Address& to) : client_(to) {
    client_.send("GET /_pilotlight/loads HTTP/1.1\r\nHost: gateway\r\n\r\n");
    head = client_.readUntil("\n\r\n");  // of the head, or already of a line
    const auto end = head.find("\r\n\r\n");
    if (end != std::string::npos) rest_ = head.substr(end + 4);
  }

  /// The next line; empty instance: none within the time.
  core::LoadLine next(milliseconds within = seconds(10)) {
    const auto deadline = net::Clock::now() + within;
    std::size_t end;
    unchunk();  // what came together with the head
    while ((end = text_.find('\n')) == std::string::npos && net::Clock::now() < deadline) {
      rest_ += client_.readUntil("\n\r\n", std::chrono::ceil<milliseconds>(deadline - net::Clock::now()));
      unchunk();
    }
    if (end == std::string::npos) return {};
    const auto line = core::readLoadLine(text_.substr(0, end), net::Clock::now());
    EXPECT_TRUE(line) << line.error() << ": " << text_.substr(0, end);
    text_.erase(0, end + 1);
    return line.value_or(core::LoadLine{});
  }
  /// The first line in which `holds` is true.
  core::LoadLine when(const std::function<bool(const core::LoadLine&)>& holds) {
    const auto deadline = net::Clock::now() + seconds(10);
    while (net::Clock::now() < deadline)
      if (auto line = next(); holds(line)) return line;
    ADD_FAILURE() << "no such line";
    return {};
  }
  bool ended() { return client_.readAll().find("0\r\n\r\n") != std::string::npos; }

  std::string head;

 private:
  void unchunk() {
    for (std::size_t size; (size = rest_.find("\r\n")) != std::string::npos;) {
      const std::size_t length = std::stoul(rest_.substr(0, size), nullptr, 16);
      if (rest_.size() < size + 2 + length + 2) return;
      text_ += rest_.substr(size + 2, length);
      rest_.erase(0, size + 2 + length + 2);
    }
  }
  net::test::RawClient client_;
  std::string rest_, text_;  // as it came; without the framing
};

class LoadFeedTest : public GatewayTest {
 protected:
  LoadFeedTest() {
    options_.loads.period = milliseconds(10);
    options_.loads.heartbeat = milliseconds(50);
  }
};

bool tells(const core::LoadLine& line, const std::function<bool(const core::FunctionLoad&)>& what) {
  return std::ranges::any_of(line.loads, what);
}

TEST_F(LoadFeedTest, TellsEverythingAtOnceThenOnlyThatItIsThere) {
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  ASSERT_EQ(call(gateway_->address(), "/f").status, 200);
  ASSERT_TRUE(idle());
  Listening listening(gateway_->internalAddress());
  EXPECT_EQ(parse(listening.head).status, 200);
  EXPECT_EQ(parse(listening.head).header("Content-Type"), "application/x-ndjson");
  const auto first = listening.next();
  EXPECT_EQ(first.gateway, "gw-0");
  EXPECT_TRUE(first.complete);
  ASSERT_EQ(first.loads.size(), 1U);
  EXPECT_EQ(first.loads[0].name, "f");
  EXPECT_EQ(first.loads[0].requests, 1);
  EXPECT_GT(first.loads[0].lastActive, net::Clock::now() - seconds(60));
  for (int i = 0; i < 3; ++i) {
    const auto beat = listening.next();
    EXPECT_EQ(beat.instance, first.instance);
    EXPECT_TRUE(beat.loads.empty());
  }
}

TEST_F(LoadFeedTest, TellsOfWaitingRequestsWithoutWaitingForThePeriod) {
  options_.loads.period = options_.loads.heartbeat = std::chrono::hours(1);
  apply(route());
  deployment();
  start();
  Listening listening(gateway_->internalAddress());
  ASSERT_TRUE(listening.next().loads.empty());
  RawClient waits(gateway_->address());
  waits.send("GET /f HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto line = listening.next();
  ASSERT_EQ(line.loads.size(), 1U);
  EXPECT_EQ(line.loads[0].queued, 1);
}

TEST_F(LoadFeedTest, TellsWhatChangesWhileRequestsRunAndWhenTheyEnd) {
  apply(route());
  start();
  ServerFixture server;
  std::promise<void> go;
  auto gone = go.get_future().share();
  server.app.answer = [&](net::Exchange& exchange, const std::string&) {
    gone.wait();
    exchange.respond(200, "text/plain", "late");
  };
  replica("p", server);
  Listening listening(gateway_->internalAddress());
  RawClient client(gateway_->address());
  client.send("GET /f HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto running =
      listening.when([](const core::LoadLine& line) { return tells(line, [](const auto& load) { return load.inFlight == 1; }); });
  const auto later = listening.when([&](const auto& line) {
    return tells(line, [&](const auto& load) { return load.concurrencyMillis > running.loads[0].concurrencyMillis; });
  });
  EXPECT_EQ(later.loads[0].inFlight, 1);
  go.set_value();
  listening.when([](const auto& line) { return tells(line, [](const auto& load) { return load.inFlight == 0 && load.requests == 1; }); });
}

TEST_F(LoadFeedTest, TellsOfFunctionsThatAreGone) {
  apply(route());
  start();
  {
    ServerFixture server;
    replica("p", server);
    ASSERT_EQ(call(gateway_->address(), "/f").status, 200);
  }
  Listening listening(gateway_->internalAddress());
  ASSERT_EQ(listening.next().loads.size(), 1U);
  ASSERT_TRUE(cluster_.remove(kube::resources::functionRoutes, {"default", "f"}, {}));
  ASSERT_TRUE(cluster_.remove(kube::resources::pods, {"default", "p"}, {.uid = {}, .resourceVersion = {}, .gracePeriodSeconds = 0}));
  const auto line = listening.when([](const auto& each) { return !each.gone.empty(); });
  EXPECT_EQ(line.gone.front().name, "f");
}

TEST_F(LoadFeedTest, SplitsWhatIsLongAndIsCompleteAtTheEnd) {
  options_.loads.lineLoads = 2;
  start();
  std::vector<std::unique_ptr<ServerFixture>> servers;
  for (const std::string name : {"a", "b", "c", "d", "e"}) {
    apply(route(name));
    servers.push_back(std::make_unique<ServerFixture>());
    replica("p-" + name, *servers.back(), name);
    ASSERT_EQ(call(gateway_->address(), "/" + name).status, 200);
  }
  Listening listening(gateway_->internalAddress());
  std::size_t told = 0;
  core::LoadLine line;
  do {
    line = listening.next();
    EXPECT_LE(line.loads.size(), 2U);
    told += line.loads.size();
  } while (!line.complete && !line.instance.empty());
  EXPECT_EQ(told, 5U);
}

TEST_F(LoadFeedTest, RefusesMoreListenersThanItMayHave) {
  options_.loops = 1;
  options_.loads.listeners = 1;
  start();
  Listening listening(gateway_->internalAddress());
  EXPECT_TRUE(listening.next().complete);
  EXPECT_EQ(call(gateway_->internalAddress(), "/_pilotlight/loads").status, 503);
}

TEST_F(LoadFeedTest, EndsInOrderWhenTheGatewayDrains) {
  start();
  Listening listening(gateway_->internalAddress());
  EXPECT_TRUE(listening.next().complete);
  gateway_->announceEnd();
  EXPECT_EQ(call(gateway_->internalAddress(), "/readyz").status, 503);
  EXPECT_EQ(call(gateway_->internalAddress(), "/healthz").status, 200);
  const auto began = net::Clock::now();
  gateway_->stop(seconds(20));
  EXPECT_LT(net::Clock::now() - began, seconds(15)) << "a listener is no request in flight";
  EXPECT_TRUE(listening.ended());
}

}  // namespace
}  // namespace pilotlight::gateway::test
