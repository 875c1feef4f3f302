// A proxy made of a server and a pool, in every pair of protocols: bodies, trailers, interim answers, broken ends, back-pressure.
#include <atomic>

#include "client_calls.h"

namespace pilotlight::net {
namespace {

using namespace test;

/// Carries one exchange to an address and the answer back.
struct Relay final : ExchangeHandler, ClientHandler {
  Relay(Exchange& from, ClientPool& pool, ClientPool::Peer& to) : exchange(&from) {
    const RequestHead& head = from.head();
    Header fields[Headers::kMax];
    std::size_t count = 0;
    for (const Header& field : head.headers)
      if (!isHopByHop(field.name) && !equalsIgnoreCase(field.name, "content-length")) fields[count++] = field;
    if (!head.headers.get("host")) fields[count++] = {"host", head.host};
    call = pool.call(to, {head.method, head.target, {fields, count}, head.body, head.length}, *this);
    hasBody = head.body != BodyKind::none;
  }

  // ExchangeHandler
  void onBody(Exchange&, std::string_view part) override {
    if (call && !call->write(part)) exchange->pauseBody();
  }
  void onBodyEnd(Exchange&) override {
    if (call && hasBody) call->finish(exchange->trailers());
  }
  void onWritable(Exchange&) override {
    if (call) call->resumeBody();
  }
  void onEnd(Exchange&, bool) override {
    exchange = nullptr;
    if (call) call->cancel();
    delete this;
  }

  // ClientHandler
  void onInterim(const ResponseHead& head) override { exchange->sendInterim(head.status, {head.headers.begin(), head.headers.size()}); }
  void onHead(const ResponseHead& head) override {
    Header fields[Headers::kMax];
    std::size_t count = 0;
    for (const Header& field : head.headers)
      if (!isHopByHop(field.name) && !equalsIgnoreCase(field.name, "content-length")) fields[count++] = field;
    exchange->sendHead(head.status, head.reason, {fields, count},
                       {head.body == BodyKind::untilClose ? BodyKind::chunked : head.body, head.length});
  }
  void onBody(std::string_view part) override {
    if (!exchange->write(part) && call) call->pauseBody();
  }
  void onEnd(std::span<const Header> trailers) override {
    call = nullptr;
    exchange->finish(trailers);
  }
  void onWritable() override { exchange->resumeBody(); }
  void onFailure(ClientFailure failure) override {
    call = nullptr;
    if (exchange->headSent())
      exchange->abort();
    else
      exchange->respond(502, "", toString(failure));
  }

  Exchange* exchange;
  ClientCall* call = nullptr;
  bool hasBody = false;
};

class Proxy : public testing::TestWithParam<std::pair<Protocol, Protocol>> {
 protected:
  Proxy() {
    caller.protocol = GetParam().first;
    proxy.thread.sync([&] { pool = std::make_unique<ClientPool>(proxy.thread.loop); });
    proxy.app.takesOver = [this](Exchange& exchange) { return new Relay(exchange, *pool, pool->peer(backend.address, GetParam().second)); };
    backend.app.takesOver = [this](Exchange& exchange) { return atBackend(exchange); };
  }
  ~Proxy() override {
    proxy.thread.sync([&] {
      proxy.server.reset();
      pool.reset();
    });
  }
  std::size_t busyBackend() {
    return backend.thread.sync([&] { return backend.server->busy(); });
  }

  ServerFixture backend, proxy;
  std::unique_ptr<ClientPool> pool;
  Caller caller;
  std::function<ExchangeHandler*(Exchange&)> atBackend = [](Exchange&) { return nullptr; };
};

/// Sends the body back as it comes, then the trailers.
struct Echo final : ExchangeHandler {
  void onBody(Exchange& exchange, std::string_view part) override {
    if (!exchange.write(part)) exchange.pauseBody();
  }
  void onBodyEnd(Exchange& exchange) override { exchange.finish(exchange.trailers()); }
  void onWritable(Exchange& exchange) override { exchange.resumeBody(); }
  void onEnd(Exchange&, bool) override { delete this; }
};

TEST_P(Proxy, CarriesBodiesTrailersAndInterimAnswers) {
  atBackend = [](Exchange& exchange) {
    exchange.sendInterim(103, {});
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    return new Echo;
  };
  Answer answer;
  std::string sent;
  answer.onWrite = [&] {
    while (sent.size() < 5u << 20) {
      const std::string part(40'000, static_cast<char>('a' + sent.size() % 23));
      sent += part;
      if (!answer.call->write(part)) return;
    }
    const Header trailer{"x-sum", "42"};
    answer.call->finish({&trailer, 1});
  };
  caller.sync([&] {
    const Header host{"host", "a"};
    answer.call =
        caller.pool->call(caller.pool->peer(proxy.address, caller.protocol), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
    answer.onWrite();
  });
  ASSERT_TRUE(answer.wait());
  ASSERT_FALSE(answer.failure) << toString(*answer.failure);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.interims, 1);
  EXPECT_TRUE(answer.body == sent) << answer.body.size() << " of " << sent.size();
  ASSERT_EQ(answer.trailers.size(), 1u);
  EXPECT_TRUE(equalsIgnoreCase(answer.trailers[0].first, "x-sum"));
  EXPECT_EQ(answer.trailers[0].second, "42");
}

TEST_P(Proxy, KeepsLengthsAndStatuses) {
  backend.app.answer = [](Exchange& exchange, const std::string& body) { exchange.respond(418, "text/plain", "got " + body); };
  Answer answer, head;
  caller.start(proxy.address, answer, "PUT", "/x", "tea");
  caller.start(proxy.address, head, "HEAD", "/x");
  ASSERT_TRUE(answer.wait() && head.wait());
  EXPECT_EQ(answer.status, 418);
  EXPECT_EQ(answer.kind, BodyKind::length);
  EXPECT_EQ(answer.body, "got tea");
  EXPECT_EQ(head.status, 418);
}

TEST_P(Proxy, ShowsThatAnAnswerIsNotWholeAfterWhatThereWas) {
  backend.app.answer = [](Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    exchange.write("some");
    exchange.abort();
  };
  Answer answer;
  caller.start(proxy.address, answer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "some");
  EXPECT_EQ(answer.failure, ClientFailure::closed);
  EXPECT_EQ(busyBackend(), 0u);
}

TEST_P(Proxy, CancelsAtTheBackendWhatTheClientCancels) {
  backend.app.answer = [](Exchange&, const std::string&) {};
  Answer answer;
  caller.start(proxy.address, answer);
  ASSERT_TRUE(eventually([&] { return busyBackend() == 1; }));
  caller.sync([&] { answer.call->cancel(); });
  EXPECT_TRUE(eventually([&] { return busyBackend() == 0; }));
}

/// Writes for as long as it may.
struct Endless final : ExchangeHandler {
  explicit Endless(std::atomic<std::size_t>& count) : written(count) {}
  void pour(Exchange& exchange) {
    static const std::string part(16 * 1024, 'x');
    do written += part.size();
    while (exchange.write(part));
  }
  void onBody(Exchange&, std::string_view) override {}
  void onBodyEnd(Exchange& exchange) override {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    pour(exchange);
  }
  void onWritable(Exchange& exchange) override { pour(exchange); }
  void onEnd(Exchange&, bool) override { delete this; }
  std::atomic<std::size_t>& written;
};

TEST_P(Proxy, HoldsBackABackendWhoseClientTakesNothing) {
  std::atomic<std::size_t> written = 0;
  atBackend = [&](Exchange&) { return new Endless(written); };
  Answer answer;
  answer.pausesAtHead = true;
  caller.start(proxy.address, answer);
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return answer.status; }) == 200; }));
  // It stands still once buffers and sockets are full: far from endless, and no more comes.
  std::size_t before = 0;
  ASSERT_TRUE(eventually([&] {
    const std::size_t now = written;
    std::this_thread::sleep_for(milliseconds(50));
    return now == std::exchange(before, written.load());
  }));
  EXPECT_LT(written, 64u << 20);
  caller.sync([&] { answer.call->cancel(); });
  EXPECT_TRUE(eventually([&] { return busyBackend() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(All, Proxy,
                         testing::Values(std::pair(Protocol::http1, Protocol::http1), std::pair(Protocol::h2c, Protocol::http1),
                                         std::pair(Protocol::http1, Protocol::h2c), std::pair(Protocol::h2c, Protocol::h2c)),
                         [](const auto& info) {
                           const auto name = [](Protocol protocol) { return std::string(protocol == Protocol::h2c ? "Http2" : "Http1"); };
                           return name(info.param.first) + "To" + name(info.param.second);
                         });

}  // namespace
}  // namespace pilotlight::net
