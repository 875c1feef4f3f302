// What a server of HTTP/2 makes of single frames: streams, their ends and windows, tunnels.
#include "http2_fixture.h"

namespace pilotlight::net {
namespace {

using namespace test;

// --- streams ---

TEST_F(Http2Protocol, RunsStreamsOfOneConnectionSideBySide) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  client.headers(3, get("/other"));
  EXPECT_EQ(client.awaitBody(3), "GET /other ");
  ASSERT_TRUE(isOpen(0));
  EXPECT_EQ(busy(), 1u);
  sync([&] { handlers[0]->exchange->respond(200, "text/plain", "late"); });
  EXPECT_EQ(client.awaitBody(1), "late");
  EXPECT_TRUE(hasEnded(0));
  EXPECT_TRUE(sync([&] { return handlers[0]->complete; }));
  EXPECT_EQ(busy(), 0u);
}

TEST_F(Http2Protocol, TellsTheHandlerOfAResetAndGoesOn) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  client.reset(1);
  EXPECT_TRUE(hasEnded(0));
  EXPECT_FALSE(sync([&] { return handlers[0]->complete; }));
  client.headers(3, get());
  EXPECT_EQ(client.awaitBody(3), "GET / ");
}

TEST_F(Http2Protocol, EndsItsExchangesWhenTheConnectionGoes) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  client.headers(3, get("/held"));
  ASSERT_TRUE(isOpen(1));
  client.close();
  EXPECT_TRUE(hasEnded(0));
  EXPECT_TRUE(hasEnded(1));
  EXPECT_EQ(busy(), 0u);
}

TEST_F(Http2Protocol, EndsItsExchangesWhenTheServerGoes) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  sync([&] { fixture->server.reset(); });
  EXPECT_TRUE(sync([&] { return handlers[0]->ended && !handlers[0]->complete; }));
  EXPECT_TRUE(client.atEnd());
}

TEST_F(Http2Protocol, AbortsAStreamAfterWhatWasWritten) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  sync([&] {
    Exchange& exchange = *handlers[0]->exchange;
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    exchange.write("some");
    exchange.abort();
  });
  EXPECT_TRUE(sync([&] { return handlers[0]->ended && !handlers[0]->complete; }));
  EXPECT_EQ(client.await(NGHTTP2_DATA, 1).payload, "some");
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_INTERNAL_ERROR});
  client.headers(3, get());
  EXPECT_EQ(client.awaitBody(3), "GET / ");
}

TEST_F(Http2Protocol, BreaksAStreamWhoseBodyIsShorterThanItsLength) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  sync([&] {
    Exchange& exchange = *handlers[0]->exchange;
    exchange.sendHead(200, "OK", {}, {BodyKind::length, 10});
    exchange.write("some");
    exchange.finish();
  });
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_INTERNAL_ERROR});
}

TEST_F(Http2Protocol, BreaksAStreamWhoseHeadIsTooLargeToSend) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  sync([&] {
    const std::string value(200'000, 'x');
    const Header large{"x-large", value};
    handlers[0]->exchange->respond(200, "", "body", {&large, 1});
  });
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_INTERNAL_ERROR});
  EXPECT_TRUE(hasEnded(0));
}

TEST_F(Http2Protocol, WantsNoMoreOfABodyThatIsAnswered) {
  start();
  fixture->app.onHead = [](Exchange& exchange) {
    if (exchange.head().method != "POST") return false;
    exchange.closeAfter();  // of HTTP/1.1; a stream ends by itself
    exchange.respond(413, "text/plain", "too large");
    return true;
  };
  FramePeer client(fixture->address);
  client.headers(1, post(), false);
  EXPECT_EQ(valueOf(client.awaitHeaders(1), ":status"), "413");
  EXPECT_EQ(client.awaitBody(1), "too large");
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_NO_ERROR});
  client.data(1, "on its way", true);
  client.headers(3, get());
  EXPECT_EQ(client.awaitBody(3), "GET / ");
}

TEST_F(Http2Protocol, LeavesTheBodyAwayWhereThereIsNone) {
  start();
  fixture->app.answer = [](Exchange& exchange, const std::string&) {
    exchange.sendHead(exchange.head().path == "/304" ? 304 : 200, "", {}, {BodyKind::length, 5});
    exchange.write("12345");
    exchange.finish();
  };
  FramePeer client(fixture->address);
  client.headers(1, {{":method", "HEAD"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}});
  const Frame head = client.await(NGHTTP2_HEADERS, 1);
  EXPECT_TRUE(head.ends());
  EXPECT_EQ(valueOf(client.decode(head), "content-length"), "5");
  client.headers(3, get("/304"));
  EXPECT_TRUE(client.await(NGHTTP2_HEADERS, 3).ends());
  EXPECT_TRUE(eventually([&] { return sync([&] { return fixture->app.completed; }) == 2; }));
}

TEST_F(Http2Protocol, SendsInterimAnswersBeforeTheHead) {
  start();
  FramePeer client(fixture->address);
  Fields request = post("/held");
  request.emplace_back("expect", "100-continue");
  client.headers(1, request, false);
  ASSERT_TRUE(isOpen(0));
  sync([&] {
    Exchange& exchange = *handlers[0]->exchange;
    exchange.sendContinue();
    exchange.sendContinue();  // once is enough
    const Header link{"Link", "</style.css>"};
    exchange.sendInterim(103, {&link, 1});
    exchange.respond(200, "", "");
  });
  EXPECT_EQ(valueOf(client.awaitHeaders(1), ":status"), "100");
  const Fields hints = client.awaitHeaders(1);
  EXPECT_EQ(valueOf(hints, ":status"), "103");
  EXPECT_EQ(valueOf(hints, "link"), "</style.css>");
  EXPECT_EQ(valueOf(client.awaitHeaders(1), ":status"), "200");
}

TEST_F(Http2Protocol, EndsWithTrailersInOneFrameWhenThereIsNoBody) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  sync([&] {
    Exchange& exchange = *handlers[0]->exchange;
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    const Header trailers[] = {{"Grpc-Status", "0"}, {"grpc-message", "fine"}};
    exchange.finish(trailers);
  });
  EXPECT_FALSE(client.await(NGHTTP2_HEADERS, 1).ends());
  const Frame last = *client.next();
  EXPECT_EQ(last.type, NGHTTP2_HEADERS);
  EXPECT_TRUE(last.ends());
}

// --- flow control ---

TEST_F(Http2Protocol, HoldsBackAClientWhoseBodyIsNotTaken) {
  start();
  pauseAtOnce = true;
  FramePeer client(fixture->address);
  client.headers(1, post("/held"), false);
  constexpr std::size_t kWindow = 65535;
  for (std::size_t left = kWindow; left > 0;) {
    const std::size_t size = std::min<std::size_t>(left, 16384);
    client.data(1, std::string(size, 'x'));
    left -= size;
  }
  client.headers(3, get());  // not held up by it
  bool opened = false;
  for (auto frame = client.next(); frame && !(frame->stream == 3 && frame->ends()); frame = client.next())
    opened = opened || (frame->type == NGHTTP2_WINDOW_UPDATE && frame->stream == 1);
  EXPECT_FALSE(opened);
  EXPECT_EQ(sync([&] { return handlers[0]->body.size(); }), 0u);
  sync([&] { handlers[0]->exchange->resumeBody(); });
  EXPECT_GT(client.await(NGHTTP2_WINDOW_UPDATE, 1).number(0), 0u);
  client.data(1, "y", true);
  EXPECT_TRUE(eventually([&] { return sync([&] { return handlers[0]->bodyEnded; }); }));
  EXPECT_EQ(sync([&] { return handlers[0]->body.size(); }), kWindow + 1);
}

TEST_F(Http2Protocol, RefusesMoreThanTheWindow) {
  start();
  pauseAtOnce = true;
  FramePeer client(fixture->address);
  client.headers(1, post("/held"), false);
  for (int i = 0; i < 5; ++i) client.data(1, std::string(16384, 'x'));
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_FLOW_CONTROL_ERROR});
  EXPECT_TRUE(hasEnded(0));
}

TEST_F(Http2Protocol, GivesALargerWindowToABodyThatIsTaken) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, post("/held"), false);
  for (int i = 0; i < 3; ++i) client.data(1, std::string(16384, 'x'));
  std::uint64_t more = 0;
  while (more < 150'000) {
    const Frame frame = client.await(NGHTTP2_WINDOW_UPDATE, 1);
    ASSERT_EQ(frame.type, NGHTTP2_WINDOW_UPDATE);
    more += frame.number(0);
  }
}

TEST_F(Http2Protocol, AStreamThatStallsHoldsUpNoOther) {
  start();
  FramePeer client(fixture->address);
  client.window(0, 1 << 24);  // the connection's window is not the matter here
  client.headers(1, get("/held"));
  ASSERT_TRUE(isOpen(0));
  const std::string part(16 * 1024, 'x');
  std::size_t written = 0;
  sync([&] {
    Exchange& exchange = *handlers[0]->exchange;
    exchange.sendHead(200, "OK", {}, {BodyKind::chunked, 0});
    do written += part.size();
    while (exchange.write(part));
  });
  EXPECT_LE(written, 64 * 1024 + part.size());  // the high-water mark
  client.headers(3, get());
  EXPECT_EQ(client.awaitBody(3), "GET / ");
  // 64 KiB are in the client's window: the rest waits, and no more than the high-water mark of it.
  const auto fill = [&] {
    return sync([&] {
      std::size_t more = 0;
      if (handlers[0]->writables > 0) do
          more += part.size();
        while (handlers[0]->exchange->write(part));
      return more;
    });
  };
  ASSERT_TRUE(eventually([&] { return sync([&] { return handlers[0]->writables; }) == 1; }));
  written += fill();
  EXPECT_LE(written, 65535 + 64 * 1024 + 2 * part.size());
  client.window(1, 1 << 20);
  EXPECT_TRUE(eventually([&] { return sync([&] { return handlers[0]->writables; }) == 2; }));
}

// --- tunnels ---

TEST_F(Http2Protocol, TunnelsAWebSocketByExtendedConnect) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, {{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/held"}, {":protocol", "websocket"}},
                 false);
  client.data(1, "early");
  ASSERT_TRUE(isOpen(0));
  sync([&] {
    Exchange& exchange = *handlers[0]->exchange;
    EXPECT_EQ(exchange.head().method, "GET");
    EXPECT_EQ(exchange.head().upgrade, "websocket");
    EXPECT_EQ(exchange.head().headers.get("sec-websocket-key").value_or("").size(), 24u);
    EXPECT_EQ(handlers[0]->body, "");
    handlers[0]->bodyEnded = false;
    const Header accept{"Sec-WebSocket-Accept", "x"};
    exchange.sendHead(101, "Switching Protocols", {&accept, 1}, {BodyKind::tunnel, 0});
    exchange.write("hello");
  });
  const Fields head = client.awaitHeaders(1);
  EXPECT_EQ(valueOf(head, ":status"), "200");
  EXPECT_EQ(valueOf(head, "sec-websocket-accept"), "(none)");
  EXPECT_EQ(client.await(NGHTTP2_DATA, 1).payload, "hello");
  sync([&] { handlers[0]->exchange->finish(); });
  EXPECT_TRUE(client.await(NGHTTP2_DATA, 1).ends());
  client.data(1, " and late", true);  // the other direction is still open
  EXPECT_TRUE(hasEnded(0));
  EXPECT_TRUE(sync([&] { return handlers[0]->complete && handlers[0]->bodyEnded; }));
  EXPECT_EQ(sync([&] { return handlers[0]->body; }), "early and late");
}

}  // namespace
}  // namespace pilotlight::net
