#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

ShimOptions shell(const std::string& script, std::map<std::string, std::string> env = {}) {
  return {"exec", {"sh", "-c", script}, std::move(env)};
}

TEST(ExecTest, StandardInputBecomesStandardOutput) {
  Shim shim({"exec", {"tr", "a-z", "A-Z"}, {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  EXPECT_EQ(connection.request("POST", "/", "some text").body, "SOME TEXT");
  Response empty = connection.request("GET", "/");
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.body, "");
}

TEST(ExecTest, TheRequestIsInTheEnvironment) {
  Shim shim(shell("env", {{"RESPONSE_CONTENT_TYPE", "text/plain"}}));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Response response = shim.connect().request("PUT", "/a/b?c=d", "",
                                             "X-Request-Id: r-1\r\nX-Thing: 1\r\nX-Thing: 2\r\nX_Thing: 3\r\nX-Pilotlight-Param-id: 7\r\n");
  EXPECT_EQ(response.header("content-type"), "text/plain");
  for (const char* line : {"HTTP_METHOD=PUT\n", "HTTP_PATH=/a/b\n", "HTTP_QUERY=c=d\n", "HTTP_HEADER_X_THING=1, 2\n", "HTTP_PARAM_id=7\n",
                           "REQUEST_ID=r-1\n", "PILOTLIGHT_FUNCTION=f\n"}) {
    EXPECT_NE(response.body.find(line), std::string::npos) << line << response.body;
  }
  EXPECT_EQ(response.body.find("PILOTLIGHT_READY_FD"), std::string::npos);
}

TEST(ExecTest, AFailureBeforeAnyOutputIsA500AndAfterItABrokenAnswer) {
  Shim shim(shell("test $HTTP_PATH = /late && echo half; echo to the log >&2; exit 3"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Response early = shim.get("/early");
  EXPECT_EQ(early.status, 500);
  EXPECT_EQ(early.header("x-pilotlight-error"), "crashed");
  EXPECT_NE(early.body.find("exit code 3"), std::string::npos) << early.body;
  EXPECT_EQ(shim.get("/late").status, 0);
  EXPECT_NE(shim.log().find("to the log\n"), std::string::npos);
}

TEST(ExecTest, AProgramMayIgnoreItsInput) {
  Shim shim(shell("echo done"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.connect().request("POST", "/", std::string(8 << 20, 'x')).body, "done\n");
}

TEST(ExecTest, AProgramMayCloseItsOutputEarly) {
  Shim shim(shell("echo first; exec >&-; cat > /dev/null; sleep 0.1"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.connect().request("POST", "/", std::string(1 << 20, 'x')).body, "first\n");
}

TEST(ExecTest, AProgramMayWriteALotBeforeItReads) {
  Shim shim(shell("head -c 8388608 /dev/zero; cat | wc -c"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  std::string body(8 << 20, 'x');
  std::thread sender(
      [&] { connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body); });
  Response response = connection.receive();
  sender.join();
  EXPECT_EQ(response.body.substr(8 << 20), "8388608\n");
}

TEST(ExecTest, LargeBodiesStreamThroughInConstantMemory) {
  Shim shim({"exec", {"cat"}, {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  const std::string part(1 << 20, 'y');
  std::thread sender([&] {
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(64 * part.size()) + "\r\n\r\n");
    for (int i = 0; i < 64; ++i) connection.send(part);
  });
  EXPECT_EQ(connection.receive().body.size(), 64u << 20);
  sender.join();
  std::string status = readFile("/proc/" + std::to_string(shim.pid()) + "/status");
  EXPECT_LT(std::stol(status.substr(status.find("VmHWM:") + 6)), 100 * 1024) << "KiB, of which the sanitizers take most";
}

TEST(ExecTest, OutputOfASlowClientWaitsInThePipe) {
  Shim shim(shell("head -c 67108864 /dev/zero; echo end >&2"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  EXPECT_FALSE(eventually([&] { return shim.log().find("end\n") != std::string::npos; }, milliseconds(200)));
  EXPECT_EQ(connection.receive().body.size(), 64u << 20);
}

TEST(ExecTest, TheProgramAndItsChildrenAreKilledWhenTheClientLeaves) {
  Shim shim(shell("sleep 1000 & echo $!; sleep 1000"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return !childrenOf(shim.pid()).empty(); }));
  pid_t program = childrenOf(shim.pid()).front();
  ASSERT_TRUE(eventually([&] { return childrenOf(program).size() == 2; }));
  auto below = childrenOf(program);
  connection.close();
  EXPECT_TRUE(eventually([&] { return !alive(program) && !alive(below[0]) && !alive(below[1]); }));
  EXPECT_TRUE(eventually([&] { return shim.metric("in_flight") == 0; }));
}

TEST(ExecTest, AnAnswerEndsWithItsProgramWhoeverHoldsThePipe) {
  Shim shim(shell("setsid sleep 1000 & echo mine"));
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  EXPECT_EQ(shim.get("/").body, "mine\n");
}

TEST(ExecTest, AMissingProgramIsNotReady) {
  Shim shim({"exec", {"/no/such/program"}, {}});
  EXPECT_TRUE(eventually([&] { return shim.get("/").header("x-pilotlight-refused") == "starting"; }));
  EXPECT_NE(shim.log().find("\"error\":\"start-failed\""), std::string::npos) << shim.log();
}

}  // namespace
}  // namespace pilotlight::shim::test
