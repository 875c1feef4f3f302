#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

ShimOptions native(const std::string& symbol = "handle", std::map<std::string, std::string> env = {}) {
  return {"native", {library("native.so"), symbol}, std::move(env)};
}

TEST(NativeTest, AHandlerSeesTheRequestAndSetsTheResponse) {
  Shim shim(native());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_NE(shim.log().find("init hook ran for f"), std::string::npos) << shim.log();
  Response response = shim.connect().request("GET", "/describe", "", "X-Request-Id: r-2\r\nX-Pilotlight-Param-id: 42\r\nX-A: b\r\n");
  EXPECT_EQ(response.body, "GET 42 r-2\nHost=test\nX-Request-Id=r-2\nX-A=b\n");
  EXPECT_EQ(response.header("x-mine"), "yes");
  EXPECT_EQ(response.header("x-pilotlight-refused"), "");
  Response put = shim.connect().request("PUT", "/", std::string(1 << 20, 'b'));
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(put.body.size(), 1u << 20);
}

TEST(NativeTest, ABodyReadAsAWholeIsBoundedByASetting) {
  Shim shim(native("handle", {{"PILOTLIGHT_NATIVE_BODY", "1024"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.connect().request("POST", "/", std::string(1024, 'b')).body.size(), 1024u);
  EXPECT_EQ(shim.connect().request("POST", "/", std::string(1025, 'b')).status, 413);
}

TEST(NativeTest, TheCInterfaceWorksFromPlainC) {
  Shim shim({"native", {library("plain.so"), "greet"}, {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Response response = shim.connect().request("POST", "/", "hello");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.header("content-type"), "text/x-c");
  EXPECT_EQ(response.body, "c says hello");
}

TEST(NativeTest, AnExceptionIsA500AndTheNextRequestIsServed) {
  Shim shim(native());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  Response response = connection.request("GET", "/throw", "", "X-Request-Id: r-3\r\n");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.header("x-pilotlight-error"), "crashed");
  EXPECT_NE(shim.log().find("\"msg\":\"exception: broken on purpose\""), std::string::npos) << shim.log();
  EXPECT_EQ(connection.request("POST", "/", "x").body, "x");
}

TEST(NativeTest, AnExceptionAfterTheHeadBreaksTheAnswer) {
  Shim shim(native("half"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/").status, 0);
}

TEST(NativeTest, BodiesStreamBothWays) {
  Shim shim(native("echo"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  const std::string part(1 << 20, 'y');
  std::thread sender([&] {
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(64 * part.size()) + "\r\n\r\n");
    for (int i = 0; i < 64; ++i) connection.send(part);
  });
  Response response = connection.receive();
  sender.join();
  EXPECT_EQ(response.header("content-type"), "application/x-echo");
  EXPECT_EQ(response.body.size(), 64u << 20);
  std::string status = readFile("/proc/" + std::to_string(childrenOf(shim.pid()).at(0)) + "/status");
  EXPECT_LT(std::stol(status.substr(status.find("VmHWM:") + 6)), 110 * 1024) << "KiB, of which the sanitizers take most";
}

TEST(NativeTest, ARequestAndItsAnswerStreamInTurn) {
  Shim shim(native("echo"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char* word : {"first", "other", "third"}) {
    connection.send(std::string("5\r\n") + word + "\r\n");
    EXPECT_TRUE(connection.receives(std::string(word) + "\r\n"));
  }
  connection.send("0\r\n\r\n");
  EXPECT_EQ(connection.receive().body, "firstotherthird");
}

TEST(NativeTest, HandlersThatBlockHoldUpNobody) {
  Shim shim(native("handle", {{"PILOTLIGHT_CONCURRENCY", "21"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  std::vector<Connection> blocked;
  for (int i = 0; i < 20; ++i) {
    blocked.push_back(shim.connect());
    blocked.back().send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 20; }));
  Connection quick = shim.connect();
  for (int i = 0; i < 200; ++i) ASSERT_EQ(quick.request("POST", "/", std::to_string(i)).body, std::to_string(i));
  EXPECT_EQ(shim.get("/_pilotlight/healthz").status, 200);
  EXPECT_EQ(quick.request("GET", "/release").status, 200);
  for (Connection& connection : blocked) EXPECT_EQ(connection.receive().status, 200);
}

TEST(NativeTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  Shim shim(native());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  std::string requests;
  for (int i = 100; i < 400; ++i) requests += "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n" + std::to_string(i);
  connection.send(requests);
  for (int i = 100; i < 400; ++i) ASSERT_EQ(connection.receive().body, std::to_string(i));
}

TEST(NativeTest, NothingOfOneRequestShowsInAnother) {
  Shim shim(native());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      Connection connection = shim.connect();
      for (int i = 0; i < 100; ++i) {
        const std::string id = std::to_string(client) + "-" + std::to_string(i), fields = "X-Request-Id: " + id + "\r\n";
        std::string body(static_cast<std::size_t>(i) * 200, static_cast<char>('a' + client));
        Response put = connection.request("PUT", "/", body, fields);
        ASSERT_EQ(put.status, 201);
        ASSERT_EQ(put.body, body);
        Response plain = connection.request("GET", "/", "", fields);
        ASSERT_EQ(plain.status, 200);
        ASSERT_EQ(plain.body, "");
        Response described = connection.request("GET", "/describe", "", fields + "X-Pilotlight-Param-id: 7\r\n");
        ASSERT_EQ(described.body, "GET 7 " + id + "\nHost=test\nX-Request-Id=" + id + "\n");
        ASSERT_EQ(described.header("x-mine"), "yes");
        ASSERT_EQ(connection.request("GET", "/throw", "", fields).status, 500);
        ASSERT_EQ(connection.request("POST", "/", id).header("x-mine"), "");
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST(NativeTest, WhoWritesToAClientThatLeftIsToldAndItsSlotIsFree) {
  Shim shim(native("flood"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(connection.receives("ffff"));
  connection.close();
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 0; }));
  EXPECT_NE(shim.log().find("nobody reads"), std::string::npos) << shim.log();
}

TEST(NativeTest, AFailingInitHookIsTriedAgainThenGivenUp) {
  Shim shim(native("handle", {{"FAIL_INIT", "1"}}));
  EXPECT_GT(shim.waitExit(), 0);
  EXPECT_NE(shim.log().find("\"restart_in_ms\":40"), std::string::npos) << shim.log();
  EXPECT_NE(shim.log().find("exception: no database today"), std::string::npos) << shim.log();
  EXPECT_NE(shim.log().find("init hook"), std::string::npos) << shim.log();
}

TEST(NativeTest, RefusesWhileTheInitHookRuns) {
  Shim shim(native("handle", {{"SLOW_INIT", "1"}}));
  EXPECT_TRUE(eventually([&] { return shim.get("/").header("x-pilotlight-refused") == "starting"; }));
  EXPECT_EQ(shim.get("/_pilotlight/healthz").status, 200);
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/").status, 200);
}

TEST(NativeTest, ACrashedHostIsStartedAgain) {
  Shim shim(native());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/abort").status, 0);
  EXPECT_TRUE(shim.waitUnready());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.connect().request("POST", "/", "again").body, "again");
  EXPECT_EQ(shim.metric("handler_restarts_total"), 1);
}

TEST(NativeTest, AMissingLibraryOrSymbolIsNamedInTheLog) {
  Shim missing({"native", {"/no/such.so"}, {}});
  EXPECT_TRUE(eventually([&] { return missing.log().find("load /no/such.so") != std::string::npos; })) << missing.log();
  Shim symbol(native("no_such_function"));
  EXPECT_TRUE(eventually([&] { return symbol.log().find("it has no function \\\"no_such_function\\\"") != std::string::npos; }))
      << symbol.log();
}

TEST(NativeTest, UserCodeSeesNoPrivateVariablesAndItsLogLinesCarryTheRequest) {
  Shim shim(native("handle", {{"PILOTLIGHT_GATEWAYS", "127.0.0.1:1"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/env").body, "none");
  shim.connect().request("GET", "/log", "", "X-Request-Id: r-9\r\n");
  EXPECT_NE(shim.log().find("\"msg\":\"from the handler\",\"function\":\"f\",\"namespace\":\"default\",\"version\":\"3\",\"pod\":\"f-1\","
                            "\"request_id\":\"r-9\""),
            std::string::npos)
      << shim.log();
}

TEST(NativeTest, TheShutdownHookRunsAfterTheLastRequest) {
  Shim shim(native());
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  shim.signal(SIGTERM);
  EXPECT_EQ(shim.waitExit(), 0);
  EXPECT_NE(shim.log().find("shutdown hook ran"), std::string::npos) << shim.log();
}

}  // namespace
}  // namespace pilotlight::shim::test
