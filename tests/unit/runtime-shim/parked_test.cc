// A shim without its handler, for all runtimes: parked while idle, lit on demand, ready throughout.
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

ShimOptions options(const std::string& runtime) {
  if (runtime == "native") return {runtime, {library("native.so")}, {}};
  if (runtime == "http") return {runtime, pythonHandler(), {}};
  return {runtime, {"cat"}, {}};
}

class ParkedTest : public testing::TestWithParam<std::string> {
 protected:
  ParkedTest() : shim(options(GetParam())) { EXPECT_TRUE(shim.waitReady()) << shim.log(); }

  int post(const std::string& target) { return shim.connect().request("POST", target).status; }
  bool withoutHandler() {
    return eventually([&] { return childrenOf(shim.pid()).empty(); });
  }
  void park() {
    ASSERT_EQ(post("/_pilotlight/park"), 202) << shim.log();
    ASSERT_TRUE(withoutHandler()) << shim.log();
  }

  Shim shim;
};

TEST_P(ParkedTest, HasNoHandlerIsReadyAndRefusesWithItsMark) {
  ASSERT_NO_FATAL_FAILURE(park());
  const Response ready = shim.get("/_pilotlight/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, "parked\n");
  const Response refused = shim.get("/");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("x-pilotlight-refused"), "parked");
  EXPECT_EQ(shim.metric("parked"), 1);
  EXPECT_EQ(post("/_pilotlight/park"), 202) << "it is already";
}

TEST_P(ParkedTest, IsLitAgainAndAgain) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_NO_FATAL_FAILURE(park());
    ASSERT_EQ(post("/_pilotlight/light"), 200) << shim.log();
    EXPECT_EQ(shim.get("/").status, 200) << "what has answered takes requests";
    EXPECT_EQ(shim.get("/_pilotlight/readyz").body, "ok\n");
  }
  EXPECT_EQ(post("/_pilotlight/light"), 200) << "it is already";
  EXPECT_EQ(shim.metric("handler_restarts_total"), 0) << "that is no crash";
}

TEST_P(ParkedTest, TellsWhatRunsAndThatItHasToBeLit) {
  const std::string ticket = "X-Pilotlight-Ticket: 4.1\r\n";
  const auto tell = [&] { return shim.connect().request("POST", "/_pilotlight/tickets", "", ticket); };
  ASSERT_EQ(tell().header("x-pilotlight-refused"), "");
  ASSERT_NO_FATAL_FAILURE(park());
  const Response told = tell();
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.header("x-pilotlight-refused"), "parked");
  EXPECT_EQ(told.body, "0\n");
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "parked") << "rather than for want of a ticket";
  ASSERT_EQ(post("/_pilotlight/light"), 200) << shim.log();
  EXPECT_EQ(tell().header("x-pilotlight-refused"), "");
  EXPECT_EQ(shim.connect().request("GET", "/", "", ticket).status, 200);
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "ticket");
}

TEST_P(ParkedTest, LitWhileItParksNothingIsLost) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(post("/_pilotlight/park"), 202) << shim.log();
    int status = 0;
    ASSERT_TRUE(eventually([&] { return (status = post("/_pilotlight/light")) == 200; })) << status << shim.log();
    EXPECT_EQ(shim.get("/").status, 200);
  }
}

TEST_P(ParkedTest, SeveralMayAskForItAtOnce) {
  ASSERT_NO_FATAL_FAILURE(park());
  std::atomic<int> lit = 0;
  std::vector<std::thread> gateways;
  for (int i = 0; i < 8; ++i) gateways.emplace_back([&] { lit += post("/_pilotlight/light") == 200 ? 1 : 0; });
  for (auto& gateway : gateways) gateway.join();
  EXPECT_EQ(lit, 8);
}

TEST_P(ParkedTest, EndsInOrderWithoutDelay) {
  ASSERT_NO_FATAL_FAILURE(park());
  shim.signal(SIGTERM);
  EXPECT_EQ(shim.waitExit(), 0) << shim.log();
}

INSTANTIATE_TEST_SUITE_P(Runtimes, ParkedTest, testing::Values("native", "http", "exec"), [](const auto& info) { return info.param; });

TEST(ParkingTest, OneWithARequestIsNotParked) {
  Shim shim(options("http"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection busy = shim.connect();
  busy.send("GET /sleep/0.3 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  EXPECT_EQ(shim.connect().request("POST", "/_pilotlight/park").status, 409);
  EXPECT_EQ(busy.receive().body, "slept");
}

TEST(ParkingTest, OneThatStartsIsNotParkedAndWhoWantsItLitWaits) {
  Shim shim({"http", pythonHandler(), {{"START_DELAY", "0.5"}}});
  ASSERT_TRUE(eventually([&] { return shim.get("/_pilotlight/healthz").status == 200; }));
  EXPECT_EQ(shim.connect().request("POST", "/_pilotlight/park").status, 409);
  EXPECT_EQ(shim.connect().request("POST", "/_pilotlight/light").status, 200);
  EXPECT_EQ(shim.get("/").status, 200);
}

// The gateway keeps connections: the native host, which is about to end, must not have one when it does.
TEST(ParkingTest, ANativeHostStaysUntilItsConnectionsAreClosed) {
  Shim shim(options("native"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection kept = shim.connect();
  ASSERT_EQ(kept.request("GET", "/").status, 200);
  ASSERT_EQ(shim.connect().request("POST", "/_pilotlight/park").status, 202);
  EXPECT_EQ(kept.request("GET", "/").header("x-pilotlight-refused"), "parked") << "it is answered, whenever it comes";
  EXPECT_TRUE(kept.closedByPeer());
  EXPECT_TRUE(eventually([&] { return childrenOf(shim.pid()).empty(); })) << shim.log();
}

TEST(ParkingTest, AHandlerThatCanBeLitNoMoreIsNotReady) {
  Shim shim({"http",
             {"sh", "-c", "test ! -e $TMPDIR/gone || exit 3; exec /usr/bin/python3 -S -E " + pythonHandler().back()},
             {{"TMPDIR", testing::TempDir()}, {"PILOTLIGHT_FAILED_STARTS", "2"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  const std::string gone = testing::TempDir() + "/gone";
  std::fclose(std::fopen(gone.c_str(), "w"));
  ASSERT_EQ(shim.connect().request("POST", "/_pilotlight/park").status, 202);
  ASSERT_TRUE(eventually([&] { return childrenOf(shim.pid()).empty(); }));
  EXPECT_NE(shim.connect().request("POST", "/_pilotlight/light").status, 200);
  EXPECT_TRUE(shim.waitUnready());
  EXPECT_EQ(shim.waitExit(), 3) << "whoever runs the container sees it";
  std::remove(gone.c_str());
}

}  // namespace
}  // namespace pilotlight::shim::test
