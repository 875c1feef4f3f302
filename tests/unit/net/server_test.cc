#include "net/server.h"

#include "harness.h"

namespace pilotlight::net {
namespace {

using namespace test;

std::string bodyOf(const std::string& response) {
  const auto at = response.find("\r\n\r\n");
  return at == std::string::npos ? "" : response.substr(at + 4);
}

TEST(Server, AnswersAndKeepsTheConnection) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  for (int i = 0; i < 3; ++i) {
    client.send("POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    const std::string response = client.readUntil("abc");
    EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
    EXPECT_NE(response.find("Content-Length: 13\r\n"), std::string::npos);
    EXPECT_EQ(bodyOf(response), "POST /x?y abc");
  }
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.completed; }), 3);
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  client.send(all + "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string responses = client.readAll();
  std::size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = responses.find("POST /" + std::to_string(i) + " ab", at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_NE(responses.find("GET /last", at), std::string::npos);
  EXPECT_TRUE(client.atEof());
}

TEST(Server, ReadsABodyThatArrivesByteByByte) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  for (char c : std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")) client.send({&c, 1});
  EXPECT_EQ(bodyOf(client.readUntil("abc")), "POST / abc");
}

TEST(Server, RefusesMalformedHeadsAndCloses) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  const std::string response = client.readAll();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 400 ")) << response;
  EXPECT_NE(response.find("Connection: close"), std::string::npos);
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.requests; }), 0);
}

TEST(Server, RefusesABrokenChunkWith400) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  EXPECT_TRUE(client.readAll().starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.broken; }), 1);
}

TEST(Server, TellsAnIncompleteHeadAfterTheDeadline) {
  ServerFixture fixture({.headTimeout = milliseconds(50)});
  RawClient client(fixture.address);
  client.send("GET / HT");
  EXPECT_TRUE(client.readAll().starts_with("HTTP/1.1 408 "));
}

TEST(Server, ClosesIdleConnections) {
  ServerFixture fixture({.idleTimeout = milliseconds(50)});
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.readUntil("GET / ");
  EXPECT_TRUE(client.atEof());
}

TEST(Server, SendsContinueOnlyWhenAsked) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.readUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("x");
  EXPECT_EQ(bodyOf(client.readUntil("x")), "POST / x");
}

TEST(Server, KeepsTheConnectionWhenASmallBodyWasNotRead) {
  ServerFixture fixture;
  fixture.app.onHead = [](Exchange& exchange) {
    if (exchange.head().target != "/no") return false;
    exchange.respond(429, "text/plain", "no");
    return true;
  };
  RawClient client(fixture.address);
  client.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x'));
  EXPECT_TRUE(client.readUntil("no").starts_with("HTTP/1.1 429 "));
  client.send("GET /yes HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(bodyOf(client.readUntil("/yes ")), "GET /yes ");
}

TEST(Server, AnswersBeforeAHugeBodyAndCloses) {
  ServerFixture fixture;
  fixture.app.onHead = [](Exchange& exchange) {
    exchange.respond(413, "text/plain", "too large");
    return true;
  };
  RawClient client(fixture.address);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + std::string(600'000, 'x'));
  EXPECT_TRUE(client.readUntil("too large").starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(client.atEof());
}

TEST(Server, KeepsTheConnectionAfterALargeBodyThatWasRead) {
  ServerFixture fixture;
  fixture.app.answer = [](Exchange& exchange, const std::string& body) {
    exchange.respond(200, "text/plain", std::to_string(body.size()) + "!");
  };
  RawClient client(fixture.address);
  for (int i = 0; i < 2; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\n" + std::string(600'000, 'x'));
    EXPECT_EQ(bodyOf(client.readUntil("!")), "600000!");
  }
}

TEST(Server, NoticesAClientThatLeavesWhileItsBodyIsPaused) {
  ServerFixture fixture;
  fixture.app.onHead = [](Exchange& exchange) {
    exchange.pauseBody();
    return false;
  };
  {
    RawClient client(fixture.address);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome");
    ASSERT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.requests; }) == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.broken; }) == 1; }));
}

TEST(Server, ResetsAnHttp10ClientWhoseAnswerBreaksOff) {
  ServerFixture fixture;
  fixture.app.answer = [](Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    exchange.write("half");
    exchange.abort();
  };
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.0\r\n\r\n");
  char buffer[4096];
  ssize_t got;
  while ((got = recv(client.fd(), buffer, sizeof buffer, 0)) > 0) {
  }
  EXPECT_EQ(got, -1) << "an orderly end would make the half look whole";
  EXPECT_EQ(errno, ECONNRESET);
}

TEST(Server, AFastConnectionLeavesTheOthersTheirTurn) {
  ServerFixture fixture;
  RawClient greedy(fixture.address), other(fixture.address);
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::thread reader([&] {
    char buffer[65536];
    while (recv(greedy.fd(), buffer, sizeof buffer, 0) > 0) {
    }
  });
  std::thread sender([&] {
    greedy.send(many);
    greedy.shutdownWrite();
  });
  ASSERT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.requests; }) > 64; }));
  other.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(bodyOf(other.readUntil("/other ")), "GET /other ");
  sender.join();
  reader.join();
}

TEST(Server, HeadHasNoBody) {
  ServerFixture fixture;
  RawClient client(fixture.address);
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string response = client.readAll();
  EXPECT_NE(response.find("Content-Length: 7\r\n"), std::string::npos) << response;
  EXPECT_EQ(bodyOf(response), "");
}

TEST(Server, StreamsChunksAtOnce) {
  ServerFixture fixture;
  Exchange* open = nullptr;
  fixture.app.answer = [&](Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    exchange.write("one");
    open = &exchange;
  };
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.readUntil("3\r\none\r\n").ends_with("\r\n\r\n3\r\none\r\n"));
  fixture.thread.sync([&] {
    open->write("two");
    open->finish();
  });
  EXPECT_EQ(client.readUntil("0\r\n\r\n"), "3\r\ntwo\r\n0\r\n\r\n");
}

TEST(Server, ClosesToDelimitForHttp10) {
  ServerFixture fixture;
  fixture.app.answer = [&](Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    exchange.write("one");
    exchange.finish();
  };
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string response = client.readAll();
  EXPECT_EQ(bodyOf(response), "one");
  EXPECT_EQ(response.find("chunked"), std::string::npos);
}

TEST(Server, HoldsBackWhenTheClientIsSlow) {
  ServerFixture fixture;
  std::size_t written = 0;
  bool blocked = false;
  fixture.app.answer = [&](Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    const std::string part(16 * 1024, 'x');
    while (!blocked) {
      blocked = !exchange.write(part);
      written += part.size();
    }
  };
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return fixture.thread.sync([&] { return blocked; }); }));
  EXPECT_LT(written, 64u << 20);  // what sockets buffer, not more
}

TEST(Server, NoticesAClientThatGoesAway) {
  ServerFixture fixture;
  fixture.app.answer = [](Exchange&, const std::string&) {};  // never answers
  {
    RawClient client(fixture.address);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.requests == 1; }); }));
  }
  EXPECT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.broken == 1; }); }));
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.server->busy(); }), 0u);
}

TEST(Server, CutsAResponseThatIsShorterThanPromised) {
  ServerFixture fixture;
  fixture.app.answer = [](Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {BodyKind::length, 10});
    exchange.write("short");
    exchange.finish();
  };
  RawClient client(fixture.address);
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.readAll();
  EXPECT_TRUE(client.atEof());
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.broken; }), 1);
}

TEST(Server, DrainAnswersWhatIsOpenAndCloses) {
  ServerFixture fixture;
  Exchange* open = nullptr;
  fixture.app.answer = [&](Exchange& exchange, const std::string&) { open = &exchange; };
  RawClient busy(fixture.address), idle(fixture.address);
  busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return fixture.thread.sync([&] { return open != nullptr && fixture.server->connections() == 2; }); }));
  std::promise<void> drained;
  fixture.thread.sync([&] { fixture.server->drain([&] { drained.set_value(); }); });
  EXPECT_TRUE(idle.atEof());
  fixture.thread.sync([&] { open->respond(200, "text/plain", "bye"); });
  EXPECT_NE(busy.readAll().find("Connection: close"), std::string::npos);
  EXPECT_EQ(drained.get_future().wait_for(seconds(10)), std::future_status::ready);
}

/// Answers "<path> after <bytes>" as soon as so many bytes of the body have come as the path says.
struct AnswersAfter final : ExchangeHandler {
  explicit AnswersAfter(std::uint64_t bytes) : wanted(bytes) {}
  void onBody(Exchange& exchange, std::string_view) override { look(exchange); }
  void onBodyEnd(Exchange& exchange) override { look(exchange); }
  void onEnd(Exchange&, bool) override { delete this; }
  void look(Exchange& exchange) {
    if (exchange.headSent() || exchange.bytesReceived() < wanted) return;
    exchange.respond(200, "text/plain", std::string(exchange.head().path));
  }
  const std::uint64_t wanted;
};

TEST(Server, AnAnswerThatKeepsTheConnectionMeansThatTheRestOfTheBodyIsRead) {
  struct Case {
    const char* fields;
    std::size_t body, answeredAfter;
    bool kept;
  };
  const Case cases[] = {
      {"Content-Length: 200000\r\n", 200'000, 1, true},
      {"Content-Length: 300000\r\n", 300'000, 1, false},                // too much to be read for nothing
      {"Content-Length: 2000000\r\n", 2'000'000, 1'900'000, true},      // what is left counts
      {"Expect: 100-continue\r\nContent-Length: 10\r\n", 0, 0, false},  // nobody knows whether the body comes
  };
  for (const Case& each : cases) {
    ServerFixture fixture;
    fixture.app.takesOver = [&](Exchange& exchange) -> ExchangeHandler* {
      if (exchange.head().path == "/next") return nullptr;
      auto* handler = new AnswersAfter(each.answeredAfter);
      handler->look(exchange);
      return handler;
    };
    RawClient client(fixture.address);
    const std::string request = std::string("POST /early HTTP/1.1\r\nHost: a\r\n") + each.fields + "\r\n" + std::string(each.body, 'x');
    std::thread sender([&] { client.send(request); });
    const std::string answer = client.readUntil("/early");
    sender.join();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << each.fields << answer;
    EXPECT_EQ(answer.find("Connection: close") == std::string::npos, each.kept) << each.fields << answer;
    if (!each.kept) continue;
    client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(client.readUntil("GET /next ").starts_with("HTTP/1.1 200 OK\r\n")) << each.fields;
  }
}

/// One that takes a while, sending all the time, for an answer that is complete long before.
TEST(Server, AClientThatGoesOnSendingGetsTheWholeOfAnEarlyAnswerHoweverSlowItReads) {
  const std::string answer(2'000'000, 'a');
  ServerFixture fixture;
  fixture.app.onHead = [&](Exchange& exchange) { return exchange.respond(200, "text/plain", answer), true; };
  RawClient client(fixture.address);
  const int small = 16 * 1024;
  ASSERT_EQ(setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
  std::string got;
  const auto begin = Clock::now();
  std::array<char, 4096> buffer;
  for (ssize_t n; (n = recv(client.fd(), buffer.data(), buffer.size(), 0)) > 0; got.append(buffer.data(), static_cast<std::size_t>(n))) {
    client.send("x");
    // Its pace: the last byte is read 3 s after the first.
    std::this_thread::sleep_until(begin + seconds(3) * got.size() / answer.size());
  }
  EXPECT_EQ(got.size() - (got.find("\r\n\r\n") + 4), answer.size());
}

TEST(Server, DrainAnswersARequestThatIsOnItsWay) {
  ServerFixture fixture({.drainIdle = seconds(10)});
  RawClient kept(fixture.address), fresh(fixture.address);
  kept.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(kept.readUntil("GET /1 ").starts_with("HTTP/1.1 200 OK\r\n"));
  std::promise<void> drained;
  fixture.thread.sync([&] { fixture.server->drain([&] { drained.set_value(); }); });
  for (RawClient* client : {&kept, &fresh}) {
    client->send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client->readAll();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
    EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
  }
  EXPECT_EQ(drained.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(Server, DrainResetsNobodyWhoHasConnected) {
  for (int round = 0; round < 3; ++round) {
    ServerFixture fixture;
    std::atomic<int> connected = 0, answered = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&, to = toSocketAddress(fixture.address)] {
        for (;;) {
          const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
          if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to->storage), to->length) != 0) return;
          ++connected;
          constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
          send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
          char answer[4096];
          answered += recv(fd.get(), answer, sizeof answer, 0) > 0;
        }
      });
    }
    EXPECT_TRUE(eventually([&] { return answered > 50; }));
    std::promise<void> drained;
    fixture.thread.sync([&] { fixture.server->drain([&] { drained.set_value(); }); });
    for (auto& client : clients) client.join();
    EXPECT_EQ(drained.get_future().wait_for(seconds(10)), std::future_status::ready);
    EXPECT_EQ(connected, answered);
  }
}

}  // namespace
}  // namespace pilotlight::net
