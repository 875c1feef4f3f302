// The client's side of HTTP/2: against nghttpd, against our own server, and against servers of single frames.
#include "client_calls.h"
#include "http2_frames.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::net {
namespace {

using namespace test;

/// Debian's server of nghttp2. Its address is this process's own, so that its port is free.
class Nghttpd {
 public:
  explicit Nghttpd(const std::vector<std::string>& arguments = {}) : process_(command(arguments)) {
    EXPECT_TRUE(eventually([&] {
      const auto to = toSocketAddress(address);
      const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      return connect(fd.get(), reinterpret_cast<const sockaddr*>(&to->storage), to->length) == 0;
    }));
  }
  const Address address = ownAddress();

 private:
  static Address ownAddress() {
    const pid_t pid = getpid();
    return {"127." + std::to_string(100 + (pid >> 16) % 100) + "." + std::to_string(pid >> 8 & 0xff) + "." + std::to_string(pid & 0xff), 18080};
  }
  pilotlight::test::Command command(const std::vector<std::string>& arguments) {
    pilotlight::test::writeFile(folder_.path() / "large", std::string(5u << 20, 'n'));
    pilotlight::test::writeFile(folder_.path() / "small", "small\n");
    std::vector<std::string> argv{"nghttpd", "--no-tls", "-a", ownAddress().ip, "-d", folder_.path().string()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    argv.push_back(std::to_string(ownAddress().port));
    return {argv, {}, "."};
  }
  pilotlight::test::TempDir folder_;
  pilotlight::test::Subprocess process_;
};

/// A listener whose connections the test answers by frames.
class FrameServer {
 public:
  FrameServer() : listener_(*listenTcp({"127.0.0.1", 0})), address(localAddress(listener_.get())) {}
  std::unique_ptr<FramePeer> accept(const std::string& settings = "") {
    pollfd waiter{listener_.get(), POLLIN, 0};
    EXPECT_EQ(poll(&waiter, 1, 10'000), 1);
    auto peer = std::make_unique<FramePeer>(Fd(::accept(listener_.get(), nullptr, nullptr)));
    EXPECT_EQ(peer->readRaw(24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    peer->send(NGHTTP2_SETTINGS, 0, 0, settings);
    return peer;
  }

 private:
  Fd listener_;

 public:
  const Address address;
};

// --- against nghttpd ---

TEST(Http2Client, GetsFilesFromNghttpd) {
  Nghttpd server;
  Caller caller;
  Answer small, large, none;
  caller.start(server.address, small, "GET", "/small");
  caller.start(server.address, large, "GET", "/large");
  caller.start(server.address, none, "GET", "/none");
  ASSERT_TRUE(small.wait() && large.wait() && none.wait());
  EXPECT_EQ(small.status, 200);
  EXPECT_EQ(small.body, "small\n");
  EXPECT_EQ(small.kind, BodyKind::length);
  EXPECT_EQ(small.length, 6u);
  EXPECT_EQ(large.body.size(), 5u << 20);
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(caller.sync([&] { return caller.pool->idle(); }), 1u);  // all on one connection
}

TEST(Http2Client, PostsToNghttpdAndReadsItsTrailers) {
  Nghttpd server({"--echo-upload", "--no-content-length", "--trailer", "x-last: yes"});
  Caller caller;
  Answer answer;
  const std::string body(300'000, 'b');
  caller.start(server.address, answer, "POST", "/", body);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.kind, BodyKind::chunked);
  EXPECT_TRUE(answer.body == body);
  EXPECT_EQ(valueOf(answer.trailers, "x-last"), "yes");
}

TEST(Http2Client, OpensAnotherConnectionWhenNghttpdAllowsNoMoreStreams) {
  Nghttpd server({"-m", "2", "--echo-upload"});
  Caller caller;
  Answer first;
  caller.start(server.address, first, "GET", "/small");
  ASSERT_TRUE(first.wait());  // by now its settings are known
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < 5; ++i) {
    answers.push_back(std::make_unique<Answer>());
    caller.sync([&] {
      const Header host{"host", "a"};
      Answer& answer = *answers.back();
      answer.call = caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
      answer.call->write("x");
    });
  }
  caller.sync([&] {
    for (auto& answer : answers) answer->call->finish();
  });
  for (auto& answer : answers) {
    ASSERT_TRUE(answer->wait());
    EXPECT_EQ(answer->body, "x");
  }
  EXPECT_EQ(caller.sync([&] { return caller.pool->idle(); }), 3u);
}

// --- against our own server ---

TEST(Http2Client, SharesAConnectionAndSendsWhatHttp2Wants) {
  ServerFixture server;
  server.app.answer = [](Exchange& exchange, const std::string& body) {
    const RequestHead& head = exchange.head();
    const std::string text = std::string(head.host) + "|" + std::string(head.target) + "|" +
                             std::string(head.headers.get("te").value_or("")) + "|" + std::string(head.headers.get("x-mixed").value_or("")) +
                             "|" + std::string(head.headers.get("connection").value_or("none")) + "|" + body;
    exchange.respond(200, "", text);
  };
  Caller caller;
  std::vector<std::unique_ptr<Answer>> answers;
  for (int i = 0; i < 50; ++i) {
    answers.push_back(std::make_unique<Answer>());
    caller.start(server.address, *answers.back(), "POST", "/a?b", "body");
  }
  for (auto& answer : answers) {
    ASSERT_TRUE(answer->wait());
    EXPECT_EQ(answer->body, "a.example|/a?b|trailers|1|none|body");
  }
  EXPECT_EQ(server.thread.sync([&] { return server.server->connections(); }), 1u);
}

TEST(Http2Client, CarriesTrailersAndInterimAnswers) {
  ServerFixture server;
  std::string seen;
  server.app.answer = [&](Exchange& exchange, const std::string&) {
    for (const Header& field : exchange.trailers()) seen.append(field.name).append("=").append(field.value);
    exchange.sendInterim(103, {});
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    exchange.write("x");
    const Header trailer{"Grpc-Status", "0"};
    exchange.finish({&trailer, 1});
  };
  Caller caller;
  Answer answer;
  caller.sync([&] {
    const Header host{"host", "a"}, trailer{"X-Sum", "1"};
    answer.call = caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
    answer.call->write("y");
    answer.call->finish({&trailer, 1});
  });
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(seen, "x-sum=1");
  EXPECT_EQ(answer.interims, 1);
  EXPECT_EQ(valueOf(answer.trailers, "grpc-status"), "0");
}

TEST(Http2Client, TellsTheLengthThatHeadHasNoBodyFor) {
  ServerFixture server;
  Caller caller;
  Answer answer;
  caller.start(server.address, answer, "HEAD", "/x");
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.kind, BodyKind::none);
  EXPECT_EQ(answer.length, std::string("HEAD /x ").size());
}

TEST(Http2Client, CancelResetsOneStreamAndKeepsTheConnection) {
  ServerFixture server;
  server.app.answer = [](Exchange& exchange, const std::string&) {
    if (exchange.head().path != "/silent") exchange.respond(200, "", "fine");
  };
  Caller caller;
  Answer silent, other;
  caller.start(server.address, silent, "GET", "/silent");
  ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return server.server->busy(); }) == 1; }));
  caller.sync([&] { silent.call->cancel(); });
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.broken; }) == 1; }));
  caller.start(server.address, other);
  ASSERT_TRUE(other.wait());
  EXPECT_EQ(other.body, "fine");
  EXPECT_EQ(server.thread.sync([&] { return server.server->connections(); }), 1u);
}

TEST(Http2Client, HoldsBackAServerWhoseAnswerIsNotTaken) {
  ServerFixture server;
  std::atomic<std::size_t> written = 0;
  struct Endless final : ExchangeHandler {
    explicit Endless(std::atomic<std::size_t>& count) : total(count) {}
    void pour(Exchange& exchange) {
      const std::string part(16 * 1024, 'x');
      do total += part.size();
      while (total < 8u << 20 && exchange.write(part));
      if (total >= 8u << 20) exchange.finish();
    }
    void onBody(Exchange&, std::string_view) override {}
    void onBodyEnd(Exchange& exchange) override {
      exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
      pour(exchange);
    }
    void onWritable(Exchange& exchange) override { pour(exchange); }
    void onEnd(Exchange&, bool) override { delete this; }
    std::atomic<std::size_t>& total;
  };
  server.app.takesOver = [&](Exchange& exchange) -> ExchangeHandler* { return exchange.head().path == "/endless" ? new Endless(written) : nullptr; };
  Caller caller;
  Answer paused, other;
  paused.pausesAtHead = true;
  caller.start(server.address, paused, "GET", "/endless");
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return paused.status; }) == 200; }));
  caller.start(server.address, other);
  ASSERT_TRUE(other.wait());  // a paused stream holds up no other
  EXPECT_LE(written, 65535 + 64 * 1024 + 3 * 16 * 1024u);
  EXPECT_EQ(caller.sync([&] { return paused.body.size(); }), 0u);
  caller.sync([&] { paused.call->resumeBody(); });
  ASSERT_TRUE(paused.wait());
  EXPECT_GE(paused.body.size(), (8u << 20) - 16 * 1024);
}

TEST(Http2Client, IsHeldBackByAServerThatTakesNothing) {
  ServerFixture server;
  Exchange* open = nullptr;
  struct Take final : ExchangeHandler {
    std::size_t taken = 0;
    void onBody(Exchange&, std::string_view part) override { taken += part.size(); }
    void onBodyEnd(Exchange& exchange) override { exchange.respond(200, "", std::to_string(taken)); }
    void onEnd(Exchange&, bool) override {}
  } take;
  server.app.takesOver = [&](Exchange& exchange) -> ExchangeHandler* {
    open = &exchange;
    exchange.pauseBody();
    return &take;
  };
  Caller caller;
  Answer answer;
  std::size_t left = 4u << 20;
  answer.onWrite = [&] {
    const std::string part(32 * 1024, 'x');
    while (left > 0) {
      left -= part.size();
      if (!answer.call->write(part)) return;
    }
    answer.call->finish();
  };
  caller.sync([&] {
    const Header host{"host", "a"};
    answer.call = caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::length, 4u << 20}, answer);
    answer.onWrite();
  });
  ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return open != nullptr; }); }));
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return answer.call->bytesWritten(); }) >= 65535; }));
  EXPECT_GE(caller.sync([&] { return left; }), (4u << 20) - 65535 - 64 * 1024 - 2 * 32 * 1024u);
  server.thread.sync([&] { open->resumeBody(); });
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.body, std::to_string(4u << 20));
}

TEST(Http2Client, EndsWithAnAnswerThatComesBeforeTheRequestIsWhole) {
  ServerFixture server;
  server.app.onHead = [](Exchange& exchange) {
    exchange.respond(413, "", "too large");
    return true;
  };
  Caller caller;
  Answer answer;
  caller.sync([&] {
    const Header host{"host", "a"};
    answer.call = caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
    answer.call->write("the beginning");
  });
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "too large");
}

TEST(Http2Client, ClosesIdleConnectionsAndForgottenOnes) {
  ServerFixture server;
  const auto connections = [&] { return server.thread.sync([&] { return server.server->connections(); }); };
  Caller caller({.idleTimeout = milliseconds(50)});
  Answer first;
  caller.start(server.address, first);
  ASSERT_TRUE(first.wait());
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
  Caller patient;
  Answer second;
  patient.start(server.address, second);
  ASSERT_TRUE(second.wait());
  EXPECT_EQ(connections(), 1u);
  patient.sync([&] { patient.pool->forget(server.address); });
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

TEST(Http2Client, ForgetLetsOpenCallsEnd) {
  ServerFixture server;
  Exchange* open = nullptr;
  server.app.answer = [&](Exchange& exchange, const std::string&) { open = &exchange; };
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return open != nullptr; }); }));
  caller.sync([&] { caller.pool->forget(server.address); });
  server.thread.sync([&] { open->respond(200, "", "late"); });
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.body, "late");
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.server->connections(); }) == 0; }));
}

TEST(Http2Client, MovesToANewConnectionWhileItsServerDrains) {
  ServerFixture server;
  server.app.answer = [](Exchange& exchange, const std::string&) {
    if (exchange.head().path == "/last") exchange.closeAfter();
    exchange.respond(200, "", "fine");
  };
  Caller caller;
  for (const char* path : {"/", "/last", "/", "/last", "/"}) {
    Answer answer;
    caller.start(server.address, answer, "GET", path);
    ASSERT_TRUE(answer.wait());
    EXPECT_EQ(answer.body, "fine") << toString(answer.failure.value_or(ClientFailure::connect));
  }
}

TEST(Http2Client, WantsNoPush) {
  FrameServer server;
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  auto peer = server.accept();
  EXPECT_NE(peer->await(NGHTTP2_SETTINGS).payload.find(setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)), std::string::npos);
  peer->await(NGHTTP2_HEADERS, 1);
  peer->send(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, bigEndian(2, 4) + block(get()));  // was on its way
  EXPECT_NE(peer->await(NGHTTP2_RST_STREAM, 2).error(), std::uint32_t{NGHTTP2_NO_ERROR});
  peer->headers(1, {{":status", "200"}});
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.status, 200);
}

// --- failures ---

TEST(Http2Client, SaysThatThereIsNoConnection) {
  const DeadPort dead;
  Caller caller;
  Answer answer;
  caller.start(dead.address, answer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, ClientFailure::connect);
  EXPECT_EQ(answer.sentAtFailure, 0u);
}

void goaway(FramePeer& peer, std::uint32_t last) {
  peer.send(NGHTTP2_GOAWAY, 0, 0, bigEndian(last, 4) + bigEndian(NGHTTP2_NO_ERROR, 4));
}

TEST(Http2Client, ToldThatNothingWasProcessedMaySendAgain) {
  FrameServer server;
  Caller caller;
  Answer first, refused, second, third;
  caller.start(server.address, first);
  caller.start(server.address, refused);
  auto peer = server.accept();
  caller.start(server.address, second);
  caller.start(server.address, third);
  for (const std::uint32_t id : {1u, 3u, 5u, 7u}) peer->await(NGHTTP2_HEADERS, id);
  peer->reset(3, NGHTTP2_REFUSED_STREAM);
  goaway(*peer, 1);
  ASSERT_TRUE(refused.wait() && second.wait() && third.wait());
  for (const Answer* answer : {&refused, &second, &third}) {
    EXPECT_EQ(answer->failure, ClientFailure::staleClosed);
    EXPECT_EQ(answer->sentAtFailure, 0u);
  }
  peer->headers(1, {{":status", "200"}});
  ASSERT_TRUE(first.wait());  // what it does process ends as ever
  EXPECT_EQ(first.status, 200);
  Answer next;
  caller.start(server.address, next);
  auto other = server.accept();
  other->await(NGHTTP2_HEADERS, 1);
  other->headers(1, {{":status", "204"}});
  ASSERT_TRUE(next.wait());
  EXPECT_EQ(next.status, 204);
}

TEST(Http2Client, TellsAStaleConnectionFromABrokenAnswer) {
  FrameServer server;
  Caller caller;
  Answer first, stale, broken;
  caller.start(server.address, first);
  auto peer = server.accept();
  peer->await(NGHTTP2_HEADERS, 1);
  peer->headers(1, {{":status", "200"}});
  ASSERT_TRUE(first.wait());
  caller.start(server.address, stale);
  peer->await(NGHTTP2_HEADERS, 3);
  peer->close();
  ASSERT_TRUE(stale.wait());
  EXPECT_EQ(stale.failure, ClientFailure::staleClosed);
  EXPECT_GT(stale.sentAtFailure, 0u);
  caller.start(server.address, broken);
  auto other = server.accept();
  other->await(NGHTTP2_HEADERS, 1);
  other->headers(1, {{":status", "200"}}, false);
  other->data(1, "some");
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return broken.body; }) == "some"; }));
  other->close();
  ASSERT_TRUE(broken.wait());
  EXPECT_EQ(broken.failure, ClientFailure::closed);
}

TEST(Http2Client, DeliversAWholeAnswerThoughTheConnectionHasGone) {
  FrameServer server;
  Caller caller;
  Answer answer;
  answer.pausesAtHead = true;
  caller.start(server.address, answer);
  auto peer = server.accept();
  peer->await(NGHTTP2_HEADERS, 1);
  peer->headers(1, {{":status", "200"}}, false);
  peer->data(1, std::string(16000, 'x'));
  peer->data(1, std::string(16000, 'y'), true);
  peer->shutdownWrite();
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return answer.status; }) == 200; }));
  Answer next;  // by the time that this is through, the end has been seen
  caller.start(server.address, next);
  auto other = server.accept();
  ASSERT_FALSE(caller.sync([&] { return answer.ended || answer.failure; }));
  caller.sync([&] { answer.call->resumeBody(); });
  ASSERT_TRUE(answer.wait());
  EXPECT_FALSE(answer.failure);
  EXPECT_EQ(answer.body.size(), 32000u);
  caller.sync([&] { next.call->cancel(); });
}

struct BrokenAnswer {
  const char* name;
  std::function<void(FramePeer&)> act;
  ClientFailure failure;
};

class BrokenAnswers : public testing::TestWithParam<BrokenAnswer> {};

TEST_P(BrokenAnswers, Fail) {
  FrameServer server;
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  auto peer = server.accept();
  peer->await(NGHTTP2_HEADERS, 1);
  GetParam().act(*peer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, GetParam().failure);
}

Fields manyFields(std::size_t count) {
  Fields fields{{":status", "200"}};
  for (std::size_t i = 0; i < count; ++i) fields.emplace_back("x-" + std::to_string(i), "1");
  return fields;
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenAnswers,
    testing::Values(
        BrokenAnswer{"Reset", [](FramePeer& peer) { peer.reset(1, NGHTTP2_INTERNAL_ERROR); }, ClientFailure::closed},
        BrokenAnswer{"ResetInBody",
                     [](FramePeer& peer) {
                       peer.headers(1, {{":status", "200"}}, false);
                       peer.data(1, "x");
                       peer.reset(1, NGHTTP2_NO_ERROR);
                     },
                     ClientFailure::closed},
        BrokenAnswer{"DataBeforeHead", [](FramePeer& peer) { peer.data(1, "x"); }, ClientFailure::protocol},
        BrokenAnswer{"NoStatus", [](FramePeer& peer) { peer.headers(1, {{"x-a", "1"}}); }, ClientFailure::protocol},
        BrokenAnswer{"Switching", [](FramePeer& peer) { peer.headers(1, {{":status", "101"}}); }, ClientFailure::protocol},
        BrokenAnswer{"InterimAsEnd", [](FramePeer& peer) { peer.headers(1, {{":status", "103"}}); }, ClientFailure::protocol},
        BrokenAnswer{"OfHttp1", [](FramePeer& peer) { peer.headers(1, {{":status", "200"}, {"connection", "close"}}); }, ClientFailure::protocol},
        BrokenAnswer{"ManyFields", [](FramePeer& peer) { peer.headers(1, manyFields(200)); }, ClientFailure::protocol},
        BrokenAnswer{"ShortBody",
                     [](FramePeer& peer) {
                       peer.headers(1, {{":status", "200"}, {"content-length", "3"}}, false);
                       peer.data(1, "x", true);
                     },
                     ClientFailure::protocol},
        BrokenAnswer{"Push",
                     [](FramePeer& peer) {
                       peer.send(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");  // having read that there is no push
                       peer.send(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, bigEndian(2, 4) + block(get()));
                     },
                     ClientFailure::protocol},
        BrokenAnswer{"BadFrame", [](FramePeer& peer) { peer.send(NGHTTP2_PING, 0, 0, "short"); }, ClientFailure::protocol},
        BrokenAnswer{"Nothing", [](FramePeer& peer) { peer.close(); }, ClientFailure::closed}),
    [](const auto& info) { return info.param.name; });

TEST(Http2Client, SaysThatTheServerSpeaksAnotherProtocol) {
  ServerFixture server({.http2 = false});
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, ClientFailure::protocol);
}

TEST(Http2Client, HandsBackCallsThatItsServerHasNoRoomFor) {
  FrameServer server;
  Caller caller;
  std::vector<std::unique_ptr<Answer>> answers;
  caller.sync([&] {  // before anything of the server is known
    const Header host{"host", "a"};
    for (int i = 0; i < 3; ++i) {
      answers.push_back(std::make_unique<Answer>());
      answers.back()->call = caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"GET", "/", {&host, 1}}, *answers.back());
    }
  });
  auto peer = server.accept(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1));
  peer->await(NGHTTP2_HEADERS, 1);
  peer->reset(3, NGHTTP2_REFUSED_STREAM);
  peer->reset(5, NGHTTP2_REFUSED_STREAM);
  peer->headers(1, {{":status", "200"}});
  for (auto& answer : answers) ASSERT_TRUE(answer->wait());
  EXPECT_EQ(answers[0]->status, 200);
  EXPECT_EQ(answers[1]->sentAtFailure + answers[2]->sentAtFailure, 0u);
}

TEST(Http2Client, LeavesNothingBehindWhenThePoolGoes) {
  ServerFixture server;
  server.app.answer = [](Exchange&, const std::string&) {};
  Answer answer;
  {
    Caller caller;
    caller.start(server.address, answer);
    ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return server.server->busy(); }) == 1; }));
  }
  EXPECT_FALSE(answer.ended || answer.failure);
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.broken; }) == 1; }));
}

}  // namespace
}  // namespace pilotlight::net
