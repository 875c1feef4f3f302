#include <gtest/gtest.h>

#include <csignal>
#include <sstream>
#include <thread>

#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

// The largest resident size of a process so far, in KiB.
long peakMemory(pid_t pid) {
  std::string status = readFile("/proc/" + std::to_string(pid) + "/status");
  return std::stol(status.substr(status.find("VmHWM:") + 6));
}

TEST(HttpTest, ProxiesAndPassesTheHandlersOutputThrough) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(connection.request("GET", "/").body, "hello");
  EXPECT_EQ(connection.request("HEAD", "/").header("content-length"), "5");
  EXPECT_EQ(connection.request("POST", "/", "abc").body, "abc");
  EXPECT_NE(shim.log().find("handler speaks\n"), std::string::npos);
}

TEST(HttpTest, HeadersOfThisHopAreStripped) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Response response = shim.connect().request("GET", "/headers", "", "X-Request-Id: r-7\r\nX-Pilotlight-Param-id: 9\r\nTE: trailers\r\n");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("x-mine"), "yes");
  EXPECT_EQ(response.header("x-pilotlight-refused"), "");
  EXPECT_EQ(response.header("x-pilotlight-error"), "");
  EXPECT_NE(response.body.find("X-Request-Id: r-7\n"), std::string::npos) << response.body;
  EXPECT_NE(response.body.find("X-Pilotlight-Param-id: 9\n"), std::string::npos) << response.body;
  EXPECT_EQ(response.body.find("TE:"), std::string::npos) << response.body;
  EXPECT_NE(shim.get("/headers").body.find("X-Request-Id: "), std::string::npos) << "made if there is none";
}

TEST(HttpTest, WhatConnectionNamesInAnAnswerEndsHere) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  const Response response = shim.get("/hop");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("x-stays"), "1");
  for (const char* name : {"x-hop", "x-other", "keep-alive", "proxy-authenticate"}) EXPECT_EQ(response.header(name), "") << name;
}

TEST(HttpTest, IsReadyOnlyWhenTheReadyPathAnswers) {
  Shim shim({"http", pythonHandler(), {{"PILOTLIGHT_READY_PATH", "/ready"}, {"START_DELAY", "0.1"}}});
  ASSERT_TRUE(eventually([&] { return shim.connect().fd() >= 0; }));
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "starting");
  EXPECT_EQ(shim.get("/_pilotlight/readyz").status, 503);
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/").status, 200);
}

TEST(HttpTest, WhoIsInFlightWhenTheHandlerDiesGetsA502AtOnceAndItIsStartedAgain) {
  Shim shim({"http", pythonHandler(), {{"START_DELAY", "0.3"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection waiting = shim.connect();
  waiting.send("GET /sleep/15 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(shim.get("/crash").header("x-pilotlight-error"), "crashed");
  Response response = waiting.receive();
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.header("x-pilotlight-error"), "crashed");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_TRUE(shim.waitUnready());
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "starting");
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/").status, 200);
  EXPECT_EQ(shim.metric("handler_restarts_total"), 1);
}

TEST(HttpTest, AnAnswerThatIsNotHttpIsABadResponse) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Response response = shim.get("/garbage");
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.header("x-pilotlight-error"), "bad-response");
}

TEST(HttpTest, ACommandThatDoesNotExistIsTriedAgainThenGivenUpAndTheLogSaysWhy) {
  Shim shim({"http", {"no-such-program"}, {}});
  EXPECT_EQ(shim.waitExit(), 127);
  EXPECT_NE(shim.log().find("\"retry_in_ms\":40"), std::string::npos) << shim.log();
  EXPECT_NE(shim.log().find("no-such-program: no such program in PATH"), std::string::npos);
}

TEST(HttpTest, AHandlerThatNeverGetsReadyIsGivenUpWithItsExitCode) {
  Shim shim({"http", {"sh", "-c", "exit 3"}, {}});
  EXPECT_EQ(shim.waitExit(), 3);
  EXPECT_NE(shim.log().find("handler given up"), std::string::npos) << shim.log();
}

TEST(HttpTest, LargeBodiesStreamThroughInConstantMemory) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.connect().request("POST", "/", std::string(200'000, 'x')).body.size(), 200'000u);
  long before = peakMemory(shim.pid());
  const std::string part(1 << 20, 'y');
  Connection connection = shim.connect();
  std::thread sender([&] {
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(64 * part.size()) + "\r\n\r\n");
    for (int i = 0; i < 64; ++i) connection.send(part);
  });
  Response response = connection.receive();
  sender.join();
  EXPECT_EQ(response.body.size(), 64u << 20);
  EXPECT_LT(peakMemory(shim.pid()) - before, 16 * 1024) << "KiB, of which the sanitizers take most";
}

TEST(HttpTest, OrphansAreReaped) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(shim.get("/orphan").status, 200);
  EXPECT_TRUE(eventually([&] { return childrenOf(shim.pid()).size() == 1; })) << "only the handler is left";
}

}  // namespace
}  // namespace pilotlight::shim::test
