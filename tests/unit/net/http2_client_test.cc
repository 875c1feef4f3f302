// The client's side of HTTP/2, against nghttpd and against our own server.
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
    return {"127." + std::to_string(100 + (pid >> 16) % 100) + "." + std::to_string(pid >> 8 & 0xff) + "." + std::to_string(pid & 0xff),
            18080};
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
      answer.call =
          caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
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
                             std::string(head.headers.get("te").value_or("")) + "|" +
                             std::string(head.headers.get("x-mixed").value_or("")) + "|" +
                             std::string(head.headers.get("connection").value_or("none")) + "|" + body;
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
    answer.call =
        caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
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
  server.app.takesOver = [&](Exchange& exchange) -> ExchangeHandler* {
    return exchange.head().path == "/endless" ? new Endless(written) : nullptr;
  };
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
    answer.call =
        caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::length, 4u << 20}, answer);
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
    answer.call =
        caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"POST", "/", {&host, 1}, BodyKind::chunked, 0}, answer);
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
