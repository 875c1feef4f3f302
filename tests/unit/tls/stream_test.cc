// What goes through a connection, and how both sides end it.
#include "../gateway/echo_tunnel.h"
#include "fixture.h"

namespace pilotlight::tls::test {
namespace {

using net::TlsOutcome;

class Stream : public TlsTest {};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26 + i / 4096 % 3);
  return text;
}

TEST_F(Stream, CarriesLargeBodiesBothWaysToASlowClient) {
  const std::string up = pattern(3 << 20);
  app.answer = [&](net::Exchange& exchange, const std::string& body) {
    const bool same = body == up;
    exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    // Parts of all sizes: in the block, beside it, and sent through.
    for (std::size_t at = 0, size = 1; at < up.size(); at += size, size = size * 3 % 40'009 + 1)
      exchange.write(std::string_view(up).substr(at, size));
    exchange.write(same ? "same" : "other");
    exchange.finish();
  };
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(address, {.version = version, .receiveBuffer = 32768});
    ASSERT_TRUE(client.connect());
    ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(up.size()) + "\r\n\r\n"));
    for (std::size_t at = 0; at < up.size(); at += 60'000) ASSERT_TRUE(client.send(std::string_view(up).substr(at, 60'000)));
    const std::string got = client.readUntil("0\r\n\r\n");
    std::string body;
    for (std::size_t at = got.find("\r\n\r\n") + 4; at < got.size();) {
      const std::size_t size = std::stoul(got.substr(at, 10), nullptr, 16), from = got.find("\r\n", at) + 2;
      body += got.substr(from, size);
      at = from + size + 2;
    }
    EXPECT_TRUE(body == up + "same") << body.size();
  }
}

TEST_F(Stream, ReadsRequestsThatCameInOneRecord) {
  start();
  Client client(address);
  ASSERT_TRUE(client.connect());
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_TRUE(client.send(requests));
  const std::string got = client.readUntil("GET /199 ");
  EXPECT_NE(got.find("GET /0 "), std::string::npos);
  EXPECT_TRUE(got.ends_with("GET /199 "));
}

TEST_F(Stream, SaysGoodbyeBeforeItCloses) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(address, {.version = version});
    ASSERT_TRUE(client.connect());
    client.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(client.readAll().starts_with("HTTP/1.1 200 OK"));
    EXPECT_EQ(client.end(), Client::End::clean);
  }
}

TEST_F(Stream, SaysGoodbyeOnIdleConnectionsThatItClosesAndAnswersOne) {
  options.idleTimeout = milliseconds(30);
  start();
  Client idle(address);
  ASSERT_TRUE(idle.connect());
  get(idle);
  idle.readAll();
  EXPECT_EQ(idle.end(), Client::End::clean);

  Client polite(address);
  ASSERT_TRUE(polite.connect());
  EXPECT_EQ(SSL_shutdown(polite.ssl), 0);
  EXPECT_EQ(SSL_shutdown(polite.ssl), 1) << "ours has come";
}

TEST_F(Stream, ABrokenAnswerDoesNotEndAsAWholeOneDoes) {
  app.answer = [](net::Exchange& exchange, const std::string&) {
    exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
    exchange.write("part");
    exchange.abort();
  };
  start();
  for (const char* request : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    Client client(address);
    ASSERT_TRUE(client.connect());
    client.send(request);
    client.readAll();
    EXPECT_NE(client.end(), Client::End::clean) << request;
    EXPECT_NE(client.end(), Client::End::open) << request;
  }
}

constexpr const char* kUpgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

TEST_F(Stream, TunnelsEndEachWayForItself) {
  app.takesOver = gateway::test::EchoTunnel::accept;
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(address, {.version = version});
    ASSERT_TRUE(client.connect());
    client.send(kUpgrade);
    EXPECT_TRUE(client.readUntil("\r\n\r\n").starts_with("HTTP/1.1 101"));
    const std::string sent = pattern(500'000);
    std::string got;
    for (std::size_t at = 0; at < sent.size(); at += 10'000) {
      ASSERT_TRUE(client.send(std::string_view(sent).substr(at, 10'000)));
      char buffer[16384];
      if (const int n = SSL_read(client.ssl, buffer, sizeof buffer); n > 0) got.append(buffer, static_cast<std::size_t>(n));
    }
    EXPECT_EQ(SSL_shutdown(client.ssl), 0);  // our direction ends; the other one goes on
    got += client.readAll();
    EXPECT_TRUE(got == sent) << got.size();
    EXPECT_EQ(client.end(), Client::End::clean);
  }
}

TEST_F(Stream, ATunnelThatIsCutIsNoOrderlyEnd) {
  struct Watcher final : net::ExchangeHandler {
    int ends = 0;
    std::atomic<int> complete{-1};
    void onBody(net::Exchange&, std::string_view) override {}
    void onBodyEnd(net::Exchange& exchange) override {
      if (++ends > 1) exchange.finish();
    }
    void onEnd(net::Exchange&, bool whole) override { complete = whole; }
  } watcher;
  app.takesOver = [&](net::Exchange& exchange) -> net::ExchangeHandler* {
    exchange.sendHead(101, "Switching Protocols", {}, {net::BodyKind::tunnel, 0});
    return &watcher;
  };
  start();
  Client client(address);
  ASSERT_TRUE(client.connect());
  client.send(kUpgrade);
  client.readUntil("\r\n\r\n");
  client.socket().shutdownWrite();  // without a close_notify
  EXPECT_TRUE(eventually([&] { return watcher.complete == 0; }));
  EXPECT_EQ(watcher.ends, 1) << "that of the request";
}

TEST_F(Stream, TakesKeyUpdatesButNoFloodOfThem) {
  start();
  Client client(address);
  ASSERT_TRUE(client.connect());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_TRUE(get(client).starts_with("HTTP/1.1 200 OK")) << i;
  }
  bool sent = true;
  for (int i = 0; i < 2000 && sent; ++i)
    sent = SSL_key_update(client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(client.ssl) == 1;
  client.readAll();
  EXPECT_NE(client.end(), Client::End::open);
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

TEST_F(Stream, DrainsWithoutLosingARequest) {
  net::Exchange* waiting = nullptr;
  app.answer = [&](net::Exchange& exchange, const std::string&) {
    if (exchange.head().target == "/slow")
      waiting = &exchange;
    else
      exchange.respond(200, "text/plain", "GET / ");
  };
  options.drainIdle = milliseconds(200);
  start();
  Client idle(address), busy(address), late(address);
  ASSERT_TRUE(idle.connect());
  get(idle);
  ASSERT_TRUE(busy.connect());
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return thread.sync([&] { return waiting != nullptr && server->connections() == 3; }); }));
  std::atomic<bool> drained{false};
  thread.sync([&] { server->drain([&] { drained = true; }); });
  ASSERT_TRUE(late.connect()) << "its connection was there before";
  EXPECT_TRUE(get(late).starts_with("HTTP/1.1 200 OK"));
  idle.readAll();
  EXPECT_EQ(idle.end(), Client::End::clean);
  EXPECT_FALSE(drained);
  thread.loop.post([&] { waiting->respond(200, "text/plain", "at last"); });
  EXPECT_TRUE(busy.readAll().ends_with("at last"));
  EXPECT_EQ(busy.end(), Client::End::clean);
  EXPECT_TRUE(eventually([&] { return drained.load(); }));
}

TEST_F(Stream, Http2SaysGoodbyeWhenItDrains) {
  start();
  Client client(address, {.alpn = "\x02h2"});
  ASSERT_TRUE(client.connect());
  ASSERT_TRUE(client.send(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 24 + 9)));
  const std::string_view acknowledged("\0\0\0\4\1\0\0\0\0", 9);
  client.readUntil(acknowledged);
  std::atomic<bool> drained{false};
  thread.sync([&] { server->drain([&] { drained = true; }); });
  const std::string last = client.readAll();
  EXPECT_NE(last.find(std::string_view("\0\0\10\7", 4)), std::string::npos) << "GOAWAY";
  EXPECT_EQ(client.end(), Client::End::clean);
  client.socket().close();
  EXPECT_TRUE(eventually([&] { return drained.load(); }));
}

TEST_F(Stream, ClientsThatDieLeaveNothing) {
  app.answer = [](net::Exchange& exchange, const std::string&) { exchange.respond(200, "text/plain", std::string(1 << 20, 'x')); };
  start();
  for (int i = 0; i < 60; ++i) {
    Client client(address, {.version = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION});
    if (i % 3 == 0) {
      const linger reset{1, 0};
      setsockopt(client.socket().fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    if (i % 5 == 0) continue;  // before it said anything
    ASSERT_TRUE(client.connect());
    client.send(i % 2 ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n" : "GET / HT");
  }
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
  EXPECT_EQ(thread.sync([&] { return server->busy(); }), 0u);
}

}  // namespace
}  // namespace pilotlight::tls::test
