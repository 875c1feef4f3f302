// What a server of HTTP/2 makes of single frames: streams' ends, limits, floods, goodbyes.
#include "http2_frames.h"

namespace pilotlight::net {
namespace {

using namespace test;

/// Keeps the exchange open for the test to use, on the loop's thread.
struct Held final : ExchangeHandler {
  Exchange* exchange = nullptr;
  std::string body;
  bool bodyEnded = false, ended = false, complete = false;
  int writables = 0;
  void onBody(Exchange&, std::string_view part) override { body.append(part); }
  void onBodyEnd(Exchange&) override { bodyEnded = true; }
  void onWritable(Exchange&) override { ++writables; }
  void onEnd(Exchange&, bool whole) override {
    ended = true;
    complete = whole;
    exchange = nullptr;
  }
};

class Http2Protocol : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    fixture = std::make_unique<ServerFixture>(options);
    // Requests to /held… are the test's.
    fixture->app.takesOver = [this](Exchange& exchange) -> ExchangeHandler* {
      if (!exchange.head().path.starts_with("/held")) return nullptr;
      Held& held = *handlers.emplace_back(std::make_unique<Held>());
      held.exchange = &exchange;
      if (pauseAtOnce) exchange.pauseBody();
      return &held;
    };
  }
  template <class Work>
  auto sync(Work work) {
    return fixture->thread.sync(work);
  }
  bool isOpen(std::size_t index) {
    return eventually([&] { return sync([&] { return handlers.size() > index; }); });
  }
  bool hasEnded(std::size_t index) {
    return eventually([&] { return sync([&] { return handlers.size() > index && handlers[index]->ended; }); });
  }
  std::size_t busy() {
    return sync([&] { return fixture->server->busy(); });
  }
  bool pauseAtOnce = false;
  std::vector<std::unique_ptr<Held>> handlers;
  std::unique_ptr<ServerFixture> fixture;
};

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
      if (handlers[0]->writables > 0)
        do more += part.size();
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

// --- heads ---

struct Head {
  const char* name;
  Fields fields;
  std::string status;  // or the error of RST_STREAM
  std::uint32_t error = 0;
};

class Heads : public Http2Protocol, public testing::WithParamInterface<Head> {};

TEST_P(Heads, AreAnsweredOrReset) {
  start({.head = {.bytes = 12 * 1024}});
  FramePeer client(fixture->address);
  client.headers(1, GetParam().fields);
  for (;;) {
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    if (frame->stream != 1) continue;
    if (frame->type == NGHTTP2_RST_STREAM) {
      EXPECT_EQ(frame->error(), GetParam().error);
      EXPECT_EQ(GetParam().status, "");
      break;
    }
    ASSERT_EQ(frame->type, NGHTTP2_HEADERS);
    EXPECT_EQ(valueOf(client.decode(*frame), ":status"), GetParam().status);
    break;
  }
  EXPECT_EQ(sync([&] { return fixture->app.requests; }), GetParam().status == "200");
  client.headers(3, get());  // the connection goes on
  EXPECT_EQ(client.awaitBody(3), "GET / ");
}

Fields with(Fields fields, const std::string& name, const std::string& value) {
  fields.emplace_back(name, value);
  return fields;
}

Fields many(std::size_t count) {
  Fields fields = get();
  for (std::size_t i = 0; i < count; ++i) fields.emplace_back("x-" + std::to_string(i), "1");
  return fields;
}

INSTANTIATE_TEST_SUITE_P(
    All, Heads,
    testing::Values(
        Head{"Plain", get(), "200"}, Head{"HostForAuthority", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}}, "200"},
        Head{"SameHost", with(get(), "host", "A"), "200"}, Head{"OtherHost", with(get(), "host", "b"), "400"},
        Head{"BadHost", {{":method", "GET"}, {":scheme", "http"}, {":authority", "u@a"}, {":path", "/"}}, "400"},
        Head{"NoHost", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, "", NGHTTP2_PROTOCOL_ERROR},
        Head{"Fragment", get("/a#b"), "400"},
        Head{"AbsoluteForm", {{":method", "GET"}, {":scheme", "foo"}, {":authority", "a"}, {":path", "http://b/"}}, "400"},
        Head{"AsteriskForGet", get("*"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"AsteriskForOptions", {{":method", "OPTIONS"}, {":scheme", "http"}, {":authority", "a"}, {":path", "*"}}, "200"},
        Head{"Connect", {{":method", "CONNECT"}, {":authority", "a:1"}}, "501"},
        Head{"OtherProtocol",
             {{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}, {":protocol", "connect-udp"}},
             "501"},
        Head{"LongMethod", {{":method", std::string(40, 'M')}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}, "400"},
        Head{"LongPath", get("/" + std::string(9000, 'p')), "414"}, Head{"ManyFields", many(101), "431"}, Head{"EnoughFields", many(100), "200"},
        Head{"LargeField", with(with(get(), "x-a", std::string(7000, 'a')), "x-b", std::string(7000, 'b')), "431"},
        Head{"UpperCase", with(get(), "X-Upper", "1"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"LineFeed", with(get(), "x-a", "1\nhost: b"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"Nul", with(get(), "x-a", std::string("1\0", 2)), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"SpaceInName", with(get(), "x a", "1"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"TransferEncoding", with(get(), "transfer-encoding", "chunked"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"Connection", with(get(), "connection", "close"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"OtherTe", with(get(), "te", "gzip"), "", NGHTTP2_PROTOCOL_ERROR}, Head{"TeTrailers", with(get(), "te", "trailers"), "200"},
        Head{"Lengths", with(with(post(), "content-length", "0"), "content-length", "0"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"LengthWithoutBody", with(post(), "content-length", "3"), "", NGHTTP2_PROTOCOL_ERROR},
        Head{"OtherExpectation", with(post(), "expect", "magic"), "417"}),
    [](const auto& info) { return info.param.name; });

TEST_F(Http2Protocol, JoinsCookiesAndKeepsWhatElseCameTwice) {
  start();
  fixture->app.answer = [](Exchange& exchange, const std::string&) {
    std::string text;
    for (const Header& field : exchange.head().headers) text.append(field.name).append("=").append(field.value).append("|");
    exchange.respond(200, "", text);
  };
  FramePeer client(fixture->address);
  Fields fields = get();
  for (const auto& [name, value] : Fields{{"cookie", "a=1"}, {"x-a", "1"}, {"cookie", "b=2"}, {"x-a", "2"}, {"cookie", "c=3"}})
    fields.emplace_back(name, value);
  client.headers(1, fields);
  EXPECT_EQ(client.awaitBody(1), "x-a=1|x-a=2|cookie=a=1; b=2; c=3|");
}

TEST_F(Http2Protocol, ResetsABodyThatDoesNotHaveItsLength) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, with(post("/held"), "content-length", "3"), false);
  client.data(1, "more than three");
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_PROTOCOL_ERROR});
  EXPECT_TRUE(hasEnded(0));
  client.headers(3, with(post("/held"), "content-length", "3"), false);
  client.data(3, "2", true);
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 3).error(), std::uint32_t{NGHTTP2_PROTOCOL_ERROR});
  EXPECT_TRUE(hasEnded(1));
  EXPECT_FALSE(sync([&] { return handlers[0]->bodyEnded || handlers[1]->bodyEnded; }));
}

TEST_F(Http2Protocol, RefusesTooManyTrailers) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, post("/held"), false);
  Fields trailers;
  for (int i = 0; i < 65; ++i) trailers.emplace_back("x-" + std::to_string(i), "1");
  client.headers(1, trailers);
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_PROTOCOL_ERROR});
  EXPECT_TRUE(hasEnded(0));
}

// --- tunnels ---

TEST_F(Http2Protocol, TunnelsAWebSocketByExtendedConnect) {
  start();
  FramePeer client(fixture->address);
  client.headers(1, {{":method", "CONNECT"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/held"}, {":protocol", "websocket"}}, false);
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
