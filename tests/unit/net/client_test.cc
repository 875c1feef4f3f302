#include "net/client.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <atomic>

#include "harness.h"

namespace pilotlight::net {
namespace {

using namespace test;

/// Collects one answer; loop thread only, but for `done`.
struct Collect final : ClientHandler {
  int status = 0;
  std::string body;
  std::optional<ClientFailure> failure;
  std::promise<void> done;
  void onHead(const ResponseHead& head) override { status = head.status; }
  void onBody(std::string_view part) override { body.append(part); }
  void onEnd(std::span<const Header>) override { done.set_value(); }
  void onFailure(ClientFailure why) override {
    failure = why;
    done.set_value();
  }
  bool wait() { return done.get_future().wait_for(seconds(10)) == std::future_status::ready; }
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    thread.sync([&] { pool = std::make_unique<ClientPool>(thread.loop, ClientOptions{.connectTimeout = milliseconds(500)}); });
  }
  ~ClientTest() override {
    thread.sync([&] { pool.reset(); });
  }
  void get(const Address& to, ClientHandler& handler, std::string_view method = "GET", std::string_view body = {}) {
    thread.sync([&] {
      const Header headers[] = {{"Host", "a"}};
      ClientCall* call = pool->call(to, {method, "/x", headers, body.empty() ? BodyKind::none : BodyKind::chunked, 0}, handler);
      if (!body.empty()) {
        call->write(body);
        call->finish();
      }
    });
  }
  std::unique_ptr<ClientPool> pool;
  LoopThread thread;
};

TEST_F(ClientTest, CallsAndReusesTheConnection) {
  ServerFixture server;
  for (int i = 0; i < 3; ++i) {
    Collect answer;
    get(server.address, answer, "POST", "hello");
    ASSERT_TRUE(answer.wait());
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /x hello");
  }
  EXPECT_EQ(thread.sync([&] { return pool->idle(); }), 1u);
  EXPECT_EQ(server.thread.sync([&] { return server.server->connections(); }), 1u);
}

TEST_F(ClientTest, ReportsAConnectionRefused) {
  const DeadPort dead;
  Collect answer;
  get(dead.address, answer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, ClientFailure::refused);
}

/// A listener that the test answers by hand.
class RawServer {
 public:
  RawServer() : listener_(*listenTcp({"127.0.0.1", 0})), address(localAddress(listener_.get())) {}
  Fd accept() {
    pollfd waiter{listener_.get(), POLLIN, 0};
    poll(&waiter, 1, 10'000);
    return Fd(::accept(listener_.get(), nullptr, nullptr));
  }
  static void readRequest(int fd) {
    std::string got;
    char buffer[4096];
    while (got.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      got.append(buffer, static_cast<std::size_t>(n));
    }
  }
  static void say(int fd, std::string_view text) {
    EXPECT_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

 private:
  Fd listener_;

 public:
  const Address address;
};

struct Answer {
  const char* name;
  std::string text;
  std::string body;
  std::optional<ClientFailure> failure;
};

class Answers : public ClientTest, public testing::WithParamInterface<Answer> {};

TEST_P(Answers, AreReadOrRefused) {
  RawServer server;
  Collect answer;
  get(server.address, answer);
  Fd peer = server.accept();
  RawServer::readRequest(peer.get());
  RawServer::say(peer.get(), GetParam().text);
  peer.reset();
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, GetParam().failure);
  EXPECT_EQ(answer.body, GetParam().body);
}

INSTANTIATE_TEST_SUITE_P(
    All, Answers,
    testing::Values(Answer{"Length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "ab", {}},
                    Answer{"UntilClose", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", {}},
                    Answer{"Chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "ab", {}},
                    Answer{
                        "AfterContinue",
                        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz",
                        "z",
                        {}},
                    Answer{"CutBody", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "ab", ClientFailure::closed},
                    Answer{"CutChunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "ab", ClientFailure::closed},
                    Answer{"CutHead", "HTTP/1.1 200 OK\r\nContent-", "", ClientFailure::closed},
                    Answer{"Nothing", "", "", ClientFailure::closed}, Answer{"Garbage", "hello there\r\n\r\n", "", ClientFailure::protocol},
                    Answer{"Switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "", ClientFailure::protocol},
                    Answer{"HugeHead", "HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'x'), "", ClientFailure::protocol}),
    [](const auto& info) { return info.param.name; });

TEST_F(ClientTest, TellsAStaleConnectionFromABrokenAnswer) {
  RawServer server;
  Collect first;
  get(server.address, first);
  Fd peer = server.accept();
  RawServer::readRequest(peer.get());
  RawServer::say(peer.get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(first.wait());
  Collect second;
  get(server.address, second);
  RawServer::readRequest(peer.get());
  peer.reset();
  ASSERT_TRUE(second.wait());
  EXPECT_EQ(second.failure, ClientFailure::staleClosed);
}

TEST_F(ClientTest, DropsIdleConnectionsThatSpeakOrClose) {
  RawServer server;
  Collect answer;
  get(server.address, answer);
  Fd peer = server.accept();
  RawServer::readRequest(peer.get());
  RawServer::say(peer.get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(answer.wait());
  RawServer::say(peer.get(), "HTTP/1.1 408 Request Timeout\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return thread.sync([&] { return pool->idle(); }) == 0; }));
}

TEST_F(ClientTest, ForgetClosesIdleConnections) {
  ServerFixture server;
  Collect answer;
  get(server.address, answer);
  ASSERT_TRUE(answer.wait());
  thread.sync([&] { pool->forget(server.address); });
  EXPECT_EQ(thread.sync([&] { return pool->idle(); }), 0u);
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.server->connections(); }) == 0; }));
}

TEST_F(ClientTest, CancelFreesTheServersSide) {
  ServerFixture server;
  server.app.answer = [](Exchange&, const std::string&) {};
  Collect answer;
  ClientCall* call = nullptr;
  thread.sync([&] {
    const Header headers[] = {{"Host", "a"}};
    call = pool->call(server.address, {"GET", "/", headers, BodyKind::none, 0}, answer);
  });
  ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.requests; }) == 1; }));
  thread.sync([&] { call->cancel(); });
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.broken; }) == 1; }));
}

/// Sends `total` bytes as fast as the peer takes them.
struct Flood final : ClientHandler {
  ClientCall* call = nullptr;
  std::size_t left;
  std::promise<int> done;
  int status = 0;
  explicit Flood(std::size_t total) : left(total) {}
  void onWritable() override {
    static const std::string part(64 * 1024, 'x');
    while (left > 0) {
      const std::size_t n = std::min(left, part.size());
      left -= n;
      if (!call->write(std::string_view(part).substr(0, n))) return;
    }
    call->finish();
  }
  void onHead(const ResponseHead& head) override { status = head.status; }
  void onBody(std::string_view) override {}
  void onEnd(std::span<const Header>) override { done.set_value(status); }
  void onFailure(ClientFailure) override { done.set_value(-1); }
};

TEST_F(ClientTest, StreamsALargeBody) {
  ServerFixture server;
  std::atomic<std::size_t> received = 0;
  server.app.answer = [&](Exchange& exchange, const std::string& body) {
    received = body.size();
    exchange.respond(200, "text/plain", "ok");
  };
  Flood flood(32u << 20);
  thread.sync([&] {
    const Header headers[] = {{"Host", "a"}};
    flood.call = pool->call(server.address, {"POST", "/", headers, BodyKind::length, 32u << 20}, flood);
    flood.onWritable();
  });
  auto future = flood.done.get_future();
  ASSERT_EQ(future.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(future.get(), 200);
  EXPECT_EQ(received, 32u << 20);
}

/// Runs something on a loop as an event of its own.
class Trigger final : public Pollable {
 public:
  Trigger(Loop& loop, std::function<void()> run) : loop_(loop), run_(std::move(run)), fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    loop_.add(fd_.get(), EPOLLIN | EPOLLET, *this);
  }
  ~Trigger() { loop_.remove(fd_.get(), *this); }
  void pull() { EXPECT_EQ(eventfd_write(fd_.get(), 1), 0); }
  void onReady(std::uint32_t) override { run_(); }

 private:
  Loop& loop_;
  const std::function<void()> run_;
  Fd fd_;
};

TEST_F(ClientTest, NeverTakesBytesThatCameBeforeTheRequestForItsAnswer) {
  RawServer server;
  Collect first;
  get(server.address, first);
  Fd peer = server.accept();
  RawServer::readRequest(peer.get());
  RawServer::say(peer.get(), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
  ASSERT_TRUE(first.wait());

  // The loop learns in one turn, and in this order, that there is a request to send and that bytes have come on the idle connection.
  Collect second;
  std::unique_ptr<Trigger> next;
  thread.sync([&] {
    next = std::make_unique<Trigger>(thread.loop, [&] {
      const Header headers[] = {{"Host", "a"}};
      pool->call(server.address, {"GET", "/second", headers}, second);
    });
    next->pull();
    RawServer::say(peer.get(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nextra");
    int unacknowledged = 1;
    while (unacknowledged > 0) ASSERT_EQ(ioctl(peer.get(), SIOCOUTQ, &unacknowledged), 0);
  });
  ASSERT_TRUE(second.wait());
  EXPECT_EQ(second.failure, ClientFailure::protocol);
  EXPECT_EQ(second.body, "");
  thread.sync([&] { next.reset(); });
}

}  // namespace
}  // namespace pilotlight::net
