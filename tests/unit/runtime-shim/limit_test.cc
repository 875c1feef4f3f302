// The hard limit, the refusals and the timeouts, which are the same for all runtimes.
#include <gtest/gtest.h>

#include <thread>

#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

struct Runtime {
  std::string name;
  std::vector<std::string> handler;
  std::string slow;  ///< a request that takes half a second
};

void PrintTo(const Runtime& runtime, std::ostream* out) {
  *out << runtime.name;
}

class EveryRuntimeTest : public testing::TestWithParam<Runtime> {
 protected:
  ShimOptions options(std::map<std::string, std::string> env) const { return {GetParam().name, GetParam().handler, std::move(env)}; }
};

INSTANTIATE_TEST_SUITE_P(Runtimes, EveryRuntimeTest,
                         testing::Values(Runtime{"http", pythonHandler(), "/sleep/0.5"},
                                         Runtime{"exec", {"sh", "-c", "sleep 0.5; echo slept"}, "/"},
                                         Runtime{"native", {library("native.so")}, "/sleep?ms=500"}),
                         [](const auto& info) { return info.param.name; });

TEST_P(EveryRuntimeTest, TheLimitIsExactUnderParallelLoad) {
  Shim shim(options({{"PILOTLIGHT_CONCURRENCY", "3"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  std::atomic<int> served = 0, refused = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back([&] {
      Response response = shim.get(GetParam().slow);
      if (response.status == 200) ++served;
      if (response.status == 503 && response.header("x-pilotlight-refused") == "concurrency") ++refused;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(served, 3);
  EXPECT_EQ(refused, 17);
  EXPECT_EQ(shim.metric("refused_total{reason=\"concurrency\"}"), 17);
  EXPECT_EQ(shim.metric("in_flight"), 0);
}

TEST_P(EveryRuntimeTest, ASlotIsFreeWhenItsAnswerHasBeenSeen) {
  Shim shim(options({{"PILOTLIGHT_CONCURRENCY", "1"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(connection.request("GET", GetParam().slow).status, 200);
}

TEST_P(EveryRuntimeTest, ARefusalDoesNotWaitForTheBody) {
  Shim shim(options({{"PILOTLIGHT_CONCURRENCY", "1"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection first = shim.connect();
  first.send("GET " + GetParam().slow + " HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  Connection second = shim.connect();
  second.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
  EXPECT_EQ(second.receive().header("x-pilotlight-refused"), "concurrency");
  EXPECT_EQ(first.receive().status, 200);
}

TEST_P(EveryRuntimeTest, WhoTakesTooLongIsAnsweredWithA504) {
  Shim shim(options({{"PILOTLIGHT_TIMEOUT_MS", "100"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Response response = shim.connect().request("GET", GetParam().slow, "", "X-Request-Id: r-1\r\n");
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.header("retry-after"), "1");
  EXPECT_NE(response.body.find("\"limit\":\"timeout\""), std::string::npos) << response.body;
  EXPECT_EQ(response.header("x-pilotlight-error"), "timeout");
  EXPECT_NE(response.body.find("\"requestId\":\"r-1\""), std::string::npos) << response.body;
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 0; }));
}

TEST_P(EveryRuntimeTest, TheGatewaysDeadlineCountsWhenItIsEarlier) {
  Shim shim(options({}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  auto deadline = std::chrono::system_clock::now() + milliseconds(100);
  auto millis = std::chrono::duration_cast<milliseconds>(deadline.time_since_epoch()).count();
  EXPECT_EQ(shim.connect().request("GET", GetParam().slow, "", "X-Pilotlight-Deadline: " + std::to_string(millis) + "\r\n").status, 504);
}

TEST_P(EveryRuntimeTest, AnswersItsOwnEndpoints) {
  Shim shim(options({}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/_pilotlight/healthz").status, 200);
  EXPECT_EQ(shim.get("/_pilotlight/readyz").status, 200);
  EXPECT_EQ(shim.get("/_pilotlight/nothing").status, 404);
  EXPECT_EQ(shim.metric("ready"), 1);
  EXPECT_EQ(shim.connect().request("POST", "/_pilotlight/drain").status, 202);
  EXPECT_TRUE(shim.waitUnready());
  EXPECT_EQ(shim.get("/_pilotlight/readyz").status, 503);
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "draining");
}

TEST_P(EveryRuntimeTest, AClientThatLeavesFreesItsSlot) {
  Shim shim(options({{"PILOTLIGHT_CONCURRENCY", "1"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  {
    Connection connection = shim.connect();
    connection.send("GET " + GetParam().slow + " HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 0; }));
  EXPECT_EQ(shim.get(GetParam().slow).status, 200);
}

TEST(NativeTimeoutTest, TheSlotIsTakenUntilTheHandlerHasReallyEnded) {
  Shim shim({"native", {library("native.so")}, {{"PILOTLIGHT_TIMEOUT_MS", "50"}, {"PILOTLIGHT_CONCURRENCY", "1"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/sleep?ms=1500").status, 504);
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "concurrency");
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 0; }));
  EXPECT_EQ(shim.get("/").status, 200);
}

TEST(NativeTimeoutTest, AHandlerCanSeeThatNobodyWaits) {
  Shim shim({"native", {library("native.so"), "stubborn"}, {{"PILOTLIGHT_TIMEOUT_MS", "50"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/").status, 504);
  EXPECT_TRUE(eventually([&] { return shim.log().find("handler saw that nobody waits") != std::string::npos; }));
}

TEST(NativeTimeoutTest, WhoWritesToAClientThatDoesNotReadIsToldWhenItsTimeIsOver) {
  Shim shim({"native", {library("native.so"), "flood"}, {{"PILOTLIGHT_TIMEOUT_MS", "50"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return shim.log().find("nobody reads") != std::string::npos; }));
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 0; }));
  EXPECT_EQ(connection.receive().status, 0) << "a broken answer";
}

}  // namespace
}  // namespace pilotlight::shim::test
