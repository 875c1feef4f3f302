// Beginning and end: call-home, drain, and that nothing lives on.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "callhome/signature.h"
#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

// A gateway's internal listener: takes one request at a time and answers as told.
class Gateway {
 public:
  Gateway() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&any), size);
    ::listen(fd_, 16);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &size);
    address = "127.0.0.1:" + std::to_string(ntohs(any.sin_port));
  }
  ~Gateway() { ::close(fd_); }

  /// The request, and in `from` its sender's address.
  std::string answerOne(int status, std::string& from) {
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(kPatience.count())) != 1) return {};
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    int connection = ::accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC);
    unsigned ip = ntohl(peer.sin_addr.s_addr);
    from = std::to_string(ip >> 24) + "." + std::to_string(ip >> 16 & 255) + "." + std::to_string(ip >> 8 & 255) + "." +
           std::to_string(ip & 255);
    std::string text;
    char part[4096];
    while (text.empty() || text.back() != '}') {
      ssize_t count = ::recv(connection, part, sizeof part, 0);
      if (count <= 0) break;
      text.append(part, static_cast<std::size_t>(count));
    }
    std::string answer = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n";
    if (status == 204) answer = "HTTP/1.1 204 No Content\r\n\r\n";
    ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::close(connection);
    return text;
  }

  std::string address;

 private:
  int fd_;
};

TEST(CallHomeTest, EachGatewayIsCalledFromThePodsAddressUntilItTakesIt) {
  Gateway first, second;
  Shim shim({"native", {library("native.so")}, {{"PILOTLIGHT_GATEWAYS", first.address + "," + second.address}}});
  std::string from;
  std::string call = first.answerOne(204, from);
  EXPECT_EQ(from, shim.ip());
  EXPECT_TRUE(call.starts_with("POST /_pilotlight/register HTTP/1.1\r\n")) << call;
  EXPECT_NE(call.find(R"({"port":8012,"namespace":"default","function":"f","pod":"f-1","uid":"uid-1","ips":"","begunUs":)"),
            std::string::npos)
      << call;
  EXPECT_EQ(call.find("X-Pilotlight-Signature"), std::string::npos) << "it has no key";
  EXPECT_EQ(shim.get("/").status, 200) << "who has called home serves";
  for (int status : {404, 503, 204}) EXPECT_FALSE(second.answerOne(status, from).empty());
}

TEST(CallHomeTest, IsSignedWithTheFunctionsKeyAndTellsHowLongTheStartTook) {
  const std::string key = callhome::functionKey("master", "default", "f");
  for (const ShimOptions& options : {ShimOptions{"native", {library("native.so")}, {}}, ShimOptions{"http", pythonHandler(), {}}}) {
    Gateway gateway;
    ShimOptions signing = options;
    signing.env = {{"PILOTLIGHT_GATEWAYS", gateway.address}, {"PILOTLIGHT_CALL_HOME_KEY", key}, {"PILOTLIGHT_POD_IPS", "10.0.0.7,fd00::7"}};
    Shim shim(signing);
    std::string from;
    const std::string call = gateway.answerOne(204, from);
    const std::string body = call.substr(call.find("\r\n\r\n") + 4);
    EXPECT_NE(call.find("X-Pilotlight-Signature: " + callhome::sign(key, body) + "\r\n"), std::string::npos) << call;
    EXPECT_NE(body.find(R"("ips":"10.0.0.7,fd00::7")"), std::string::npos) << body;
    const auto age = [&](const std::string& name) { return std::stol(body.substr(body.find("\"" + name + "\":") + name.size() + 3)); };
    EXPECT_GT(age("begunUs"), age("listeningUs")) << body;
    EXPECT_LT(age("begunUs"), std::chrono::microseconds(kPatience).count()) << body;
  }
}

TEST(CallHomeTest, NoHandlerSeesTheKeyNorDoesProcShowIt) {
  const std::string key(64, 'c');
  Shim shim({"exec", {"/bin/sh", "-c", "env; cat /proc/$PPID/environ"}, {{"PILOTLIGHT_CALL_HOME_KEY", key}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  const std::string seen = shim.get("/").body;
  EXPECT_NE(seen.find("PILOTLIGHT_FUNCTION"), std::string::npos) << seen;
  EXPECT_NE(seen.find("PILOTLIGHT_PARENT_PID"), std::string::npos) << "the shim's own environment: " << seen;
  EXPECT_EQ(seen.find("ccc"), std::string::npos) << seen;
}

TEST(DrainTest, FinishesWhatIsInFlightRefusesWhatIsNewAndExits) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection inFlight = shim.connect(), kept = shim.connect();
  EXPECT_EQ(kept.request("GET", "/").status, 200);
  inFlight.send("GET /sleep/0.5 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  shim.signal(SIGTERM);
  EXPECT_TRUE(shim.waitUnready());
  EXPECT_EQ(kept.request("GET", "/").header("x-pilotlight-refused"), "draining");
  EXPECT_EQ(shim.get("/").header("x-pilotlight-refused"), "draining") << "new connections are still accepted";
  EXPECT_EQ(inFlight.receive().body, "slept");
  inFlight.close();
  kept.close();
  EXPECT_EQ(shim.waitExit(), 0);
}

TEST(DrainTest, NoRequestIsLostUnderLoad) {
  for (const ShimOptions& options : {ShimOptions{"native", {library("native.so")}, {}}, ShimOptions{"http", pythonHandler(), {}}}) {
    Shim shim(options);
    ASSERT_TRUE(shim.waitReady()) << shim.log();
    std::atomic<int> served = 0, lost = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        // Like a gateway: keeps its connection, and leaves the replica when it is refused.
        Connection connection = shim.connect();
        for (int status = 200; status == 200;) {
          Response response = connection.request("GET", "/");
          status = response.status;
          if (status == 200) ++served;
          if (status != 200 && response.header("x-pilotlight-refused") != "draining") ++lost;
        }
      });
    }
    ASSERT_TRUE(eventually([&] { return served > 200; }));
    shim.signal(SIGTERM);
    for (auto& client : clients) client.join();
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(shim.waitExit(), 0);
  }
}

TEST(DrainTest, TheEndOfTheGraceEndsIt) {
  Shim shim(
      {"http", {"sh", "-c", "trap '' TERM; exec /usr/bin/python3 -S -E " + pythonHandler().back()}, {{"PILOTLIGHT_GRACE_MS", "300"}}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("GET /sleep/15 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  shim.signal(SIGTERM);
  EXPECT_EQ(shim.waitExit(), 0);
  EXPECT_NE(shim.log().find("grace is over"), std::string::npos) << shim.log();
}

TEST(DrainTest, TheSecondSignalEndsItAtOnce) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  Connection connection = shim.connect();
  connection.send("GET /sleep/15 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim.metric("in_flight") == 1; }));
  shim.signal(SIGTERM);
  EXPECT_TRUE(shim.waitUnready());
  shim.signal(SIGTERM);
  EXPECT_EQ(shim.waitExit(), 0);
}

TEST(LeftoverTest, EveryDescendantEndsWithTheShim) {
  Shim shim({"http", pythonHandler(), {}});
  ASSERT_TRUE(shim.waitReady()) << shim.log();
  pid_t escaped = std::stoi(shim.get("/escape").body), handler = std::stoi(shim.get("/pid").body);
  ASSERT_TRUE(alive(escaped));
  shim.signal(SIGTERM);
  EXPECT_EQ(shim.waitExit(), 0);
  EXPECT_FALSE(alive(escaped));
  EXPECT_FALSE(alive(handler));
}

TEST(LeftoverTest, TheHandlerEndsWithAKilledShim) {
  for (const ShimOptions& options : {ShimOptions{"native", {library("native.so")}, {}}, ShimOptions{"http", pythonHandler(), {}}}) {
    Shim shim(options);
    ASSERT_TRUE(shim.waitReady()) << shim.log();
    auto children = childrenOf(shim.pid());
    ASSERT_EQ(children.size(), 1u);
    shim.signal(SIGKILL);
    EXPECT_TRUE(eventually([&] { return !alive(children[0]); }));
    shim.waitExit();
  }
}

TEST(LeftoverTest, NothingLivesOnWhenTheParentIsKilled) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (bool native : {true, false}) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t parent = ::fork();
    if (parent == 0) {
      Shim shim(native ? ShimOptions{"native", {library("native.so")}, {}} : ShimOptions{"http", pythonHandler(), {}});
      pid_t found[3] = {0, 0, 0};
      if (shim.waitReady()) {
        found[0] = shim.pid();
        found[1] = childrenOf(shim.pid()).at(0);
        found[2] = native ? found[1] : std::stoi(shim.get("/escape").body);
      }
      [[maybe_unused]] ssize_t ignored = ::write(ends[1], found, sizeof found);
      ::pause();
    }
    pid_t found[3];
    ASSERT_EQ(::read(ends[0], found, sizeof found), static_cast<ssize_t>(sizeof found));
    ASSERT_TRUE(alive(found[0]) && alive(found[1]) && alive(found[2]));
    ::kill(parent, SIGKILL);
    EXPECT_TRUE(eventually([&] { return !alive(found[0]) && !alive(found[1]) && !alive(found[2]); }));
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(LeftoverTest, AShimWhoseParentIsAlreadyGoneDoesNotStart) {
  Shim shim({"exec", {"cat"}, {{"PILOTLIGHT_PARENT_PID", "999999"}}});
  EXPECT_EQ(shim.waitExit(), 0);
}

}  // namespace
}  // namespace pilotlight::shim::test
