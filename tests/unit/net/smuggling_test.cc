// Malformed and ambiguous messages, one table for all: read in one way or refused, by the parser and on a socket.
#include <gmock/gmock.h>

#include "harness.h"
#include "http_cases.h"
#include "net/client.h"
#include "read_request.h"

namespace pilotlight::net {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

TEST(SmuggledRequest, IsRefusedOrReadInOneWayByTheParser) {
  for (const RequestCase& given : requestCases()) {
    SCOPED_TRACE(given.name);
    const Verdict verdict = readRequest(given.bytes, given.bytes.size());
    EXPECT_EQ(verdict.status, given.status);
    EXPECT_EQ(verdict.seen, given.seen);
    if (given.status == 0) EXPECT_EQ(verdict.size, given.bytes.size());
  }
}

TEST(SmuggledRequest, IsJudgedAlikeHoweverItIsCut) {
  for (const RequestCase& given : requestCases()) {
    SCOPED_TRACE(given.name);
    const Verdict whole = readRequest(given.bytes, given.bytes.size());
    for (const std::size_t step : {1, 2, 3, 7, 16, 61}) EXPECT_EQ(readRequest(given.bytes, step), whole) << step;
  }
}

/// A server that writes down what it was asked, as the handler saw it.
class RecordingServer {
 public:
  RecordingServer() {
    server_.app.answer = [this](Exchange& exchange, const std::string& body) {
      seen_.push_back(std::string(exchange.head().method) + " " + std::string(exchange.head().target) + " " + body);
      exchange.respond(200, "text/plain", "ok");
    };
  }
  /// Sends it all, then what a smuggler would want to be a request, and reads until the server closes.
  std::string talk(std::string_view bytes) {
    RawClient client(server_.address);
    client.send(bytes);
    client.send("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return client.readAll();
  }
  std::vector<std::string> taken() {
    return server_.thread.sync([this] { return std::exchange(seen_, {}); });
  }

 private:
  std::vector<std::string> seen_;
  ServerFixture server_;
};

int answersIn(std::string_view text) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find("HTTP/1.1 ", at)) != std::string_view::npos; ++at) ++count;
  return count;
}

TEST(SmuggledRequest, EndsItsConnectionSoThatNothingAfterItIsTaken) {
  RecordingServer server;
  for (const RequestCase& given : requestCases()) {
    if (given.status == 0) continue;
    SCOPED_TRACE(given.name);
    const std::string answer = server.talk(given.bytes);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(given.status) + " "));
    EXPECT_EQ(answersIn(answer), 1) << answer;
    EXPECT_THAT(server.taken(), IsEmpty());
  }
}

TEST(UnusualRequest, ReachesTheHandlerAsOneAndTheNextIsApart) {
  RecordingServer server;
  for (const RequestCase& given : requestCases()) {
    if (given.status != 0) continue;
    SCOPED_TRACE(given.name);
    const std::string answer = server.talk(given.bytes);
    const bool lastOne = given.bytes.find("HTTP/1.0") != std::string::npos;
    EXPECT_EQ(answersIn(answer), lastOne ? 1 : 2) << answer;
    if (lastOne)
      EXPECT_THAT(server.taken(), ElementsAre(given.seen));
    else
      EXPECT_THAT(server.taken(), ElementsAre(given.seen, "GET /next "));
  }
}

/// Collects one answer; loop thread only, but for `done`.
struct Answer final : ClientHandler {
  int status = 0;
  std::string body;
  std::promise<bool> done;
  void onHead(const ResponseHead& head) override { status = head.status; }
  void onBody(std::string_view part) override { body.append(part); }
  void onEnd(std::span<const Header>) override { done.set_value(true); }
  void onFailure(ClientFailure) override { done.set_value(false); }
};

/// A replica that reads one request per connection, sends `bytes`, and closes.
class Replica {
 public:
  Replica() : listener_(*listenTcp({"127.0.0.1", 0})), address(localAddress(listener_.get())) {}
  void answerOnce(std::string_view bytes) {
    pollfd waiter{listener_.get(), POLLIN, 0};
    ASSERT_EQ(poll(&waiter, 1, 10'000), 1);
    const Fd client(::accept(listener_.get(), nullptr, nullptr));
    char buffer[4096];
    waiter = {client.get(), POLLIN, 0};
    ASSERT_EQ(poll(&waiter, 1, 10'000), 1);
    ASSERT_GT(recv(client.get(), buffer, sizeof buffer, 0), 0);
    ASSERT_EQ(send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    shutdown(client.get(), SHUT_WR);
    while (recv(client.get(), buffer, sizeof buffer, 0) > 0) continue;
  }

 private:
  Fd listener_;

 public:
  const Address address;
};

TEST(MalformedAnswer, IsRefusedOrReadInOneWayByTheClient) {
  LoopThread thread;
  std::unique_ptr<ClientPool> pool;
  thread.sync([&] { pool = std::make_unique<ClientPool>(thread.loop); });
  Replica replica;
  for (const ResponseCase& given : responseCases()) {
    SCOPED_TRACE(given.name);
    Answer answer;
    auto done = answer.done.get_future();
    thread.sync([&] {
      const Header headers[] = {{"Host", "a"}};
      pool->call(replica.address, {"GET", "/", headers}, answer);
    });
    ASSERT_NO_FATAL_FAILURE(replica.answerOnce(given.bytes));
    ASSERT_EQ(done.wait_for(seconds(10)), std::future_status::ready);
    EXPECT_EQ(done.get(), given.status != 0);
    if (given.status != 0) {
      EXPECT_EQ(answer.status, given.status);
      EXPECT_EQ(answer.body, given.body);
    }
    // What came with the answer or after it is nobody's: the connection is not used again.
    EXPECT_TRUE(eventually([&] { return thread.sync([&] { return pool->idle(); }) == 0; }));
  }
  thread.sync([&] { pool.reset(); });
}

TEST(MalformedAnswer, IsJudgedAlikeHoweverItIsCut) {
  for (const ResponseCase& given : responseCases()) {
    SCOPED_TRACE(given.name);
    ResponseHead whole, part;
    const Parse verdict = parseResponseHead(given.bytes, false, whole);
    Parse state = Parse::more;
    for (std::size_t have = 1; state == Parse::more && have <= given.bytes.size(); ++have)
      state = parseResponseHead(std::string_view(given.bytes).substr(0, have), false, part, have - 1);
    EXPECT_EQ(state, verdict);
    if (verdict != Parse::done) continue;
    EXPECT_EQ(part.status, whole.status);
    EXPECT_EQ(part.size, whole.size);
    EXPECT_EQ(part.body, whole.body);
    EXPECT_EQ(part.length, whole.length);
  }
}

}  // namespace
}  // namespace pilotlight::net
