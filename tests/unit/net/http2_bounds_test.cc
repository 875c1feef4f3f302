// How a server of HTTP/2 bounds its clients, and how it says goodbye.
#include "http2_frames.h"

namespace pilotlight::net {
namespace {

using namespace test;

std::uint32_t goawayError(FramePeer& client) {
  return client.await(NGHTTP2_GOAWAY).error();
}

/// A request that nobody answers stays open on every fixture made here.
struct Silent final : ExchangeHandler {
  void onBody(Exchange&, std::string_view) override {}
  void onBodyEnd(Exchange&) override {}
  void onEnd(Exchange&, bool) override { delete this; }
};

void keepSilent(ServerFixture& fixture) {
  fixture.app.takesOver = [](Exchange& exchange) -> ExchangeHandler* { return exchange.head().path == "/silent" ? new Silent : nullptr; };
}

std::size_t busy(ServerFixture& fixture) {
  return fixture.thread.sync([&] { return fixture.server->busy(); });
}
std::size_t connections(ServerFixture& fixture) {
  return fixture.thread.sync([&] { return fixture.server->connections(); });
}

// --- floods ---

TEST(Http2Bounds, EndsAFloodOfResets) {
  ServerFixture fixture;
  keepSilent(fixture);
  FramePeer client(fixture.address);
  for (std::uint32_t id = 1; id < 2 * 3000; id += 2) {
    client.headers(id, get("/silent"));
    client.reset(id);
  }
  EXPECT_EQ(goawayError(client), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_TRUE(client.atEnd());
  EXPECT_LT(fixture.thread.sync([&] { return fixture.app.requests; }), 2000);
  EXPECT_EQ(busy(fixture), 0u);
}

TEST(Http2Bounds, LetsAClientCancelWhatItMostlyLetsRun) {
  ServerFixture fixture;
  keepSilent(fixture);
  FramePeer client(fixture.address);
  for (std::uint32_t id = 1; id < 2 * 3000; id += 4) {
    client.headers(id, get("/silent"));
    client.reset(id);
    client.headers(id + 2, get());
    ASSERT_EQ(client.awaitBody(id + 2), "GET / ");
  }
}

TEST(Http2Bounds, EndsAFloodOfStreamsThatItHasToResetItself) {
  ServerFixture fixture;
  keepSilent(fixture);
  FramePeer client(fixture.address);
  for (std::uint32_t id = 1; id < 2 * 3000; id += 2) {
    client.headers(id, post("/silent"), false);
    client.window(id, 0x7fffffff);  // more than a window may be
  }
  EXPECT_EQ(goawayError(client), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_TRUE(client.atEnd());
  EXPECT_EQ(busy(fixture), 0u);
}

struct Flood {
  const char* name;
  std::uint8_t type;
  std::uint32_t stream;
  std::string payload;
};

class Floods : public testing::TestWithParam<Flood> {};

TEST_P(Floods, OfFramesThatCarryNothingEndTheConnection) {
  ServerFixture fixture;
  keepSilent(fixture);
  FramePeer client(fixture.address);
  client.headers(1, post("/silent"), false);
  std::string frames;
  for (int i = 0; i < 5000; ++i)
    frames += bigEndian(static_cast<std::uint32_t>(GetParam().payload.size()), 3) + static_cast<char>(GetParam().type) + '\0' +
              bigEndian(GetParam().stream, 4) + GetParam().payload;
  std::thread writer([&] { client.sendRaw(frames); });
  EXPECT_EQ(goawayError(client), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_TRUE(client.atEnd());
  writer.join();
}

INSTANTIATE_TEST_SUITE_P(All, Floods,
                         testing::Values(Flood{"Ping", NGHTTP2_PING, 0, "12345678"}, Flood{"Settings", NGHTTP2_SETTINGS, 0, ""},
                                         Flood{"Priority", NGHTTP2_PRIORITY, 3, std::string("\0\0\0\0\1", 5)},
                                         Flood{"EmptyData", NGHTTP2_DATA, 1, ""}),
                         [](const auto& info) { return info.param.name; });

TEST(Http2Bounds, KeepsNoMoreAnswersThanItCanSendForAClientThatReadsNothing) {
  // PINGs with as much DATA as it takes to be no flood, whose answers the client does not read: the server stops reading.
  ServerFixture fixture({.sendTimeout = milliseconds(300)});
  keepSilent(fixture);
  FramePeer client(fixture.address);
  client.headers(1, post("/silent"), false);
  const std::string pair = bigEndian(8, 3) + static_cast<char>(NGHTTP2_PING) + '\0' + bigEndian(0, 4) + "12345678" + bigEndian(1, 3) +
                           static_cast<char>(NGHTTP2_DATA) + '\0' + bigEndian(1, 4) + "x";
  std::string frames;
  for (int i = 0; i < 1000; ++i) frames += pair;
  std::thread writer([&] {
    for (int i = 0; i < 3000; ++i) client.sendRaw(frames);
  });
  EXPECT_TRUE(eventually([&] { return connections(fixture) == 0; }));
  client.shutdown();
  writer.join();
}

TEST(Http2Bounds, RefusesMoreStreamsThanItAllows) {
  ServerFixture fixture({.maxStreams = 2});
  keepSilent(fixture);
  FramePeer client(fixture.address);
  const Frame settings = client.await(NGHTTP2_SETTINGS);
  EXPECT_NE(settings.payload.find(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2)), std::string::npos);
  for (const std::uint32_t id : {1u, 3u, 5u}) client.headers(id, get("/silent"));
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 5).error(), std::uint32_t{NGHTTP2_REFUSED_STREAM});
  EXPECT_EQ(busy(fixture), 2u);
}

// --- deadlines ---

TEST(Http2Bounds, EndsAConnectionWhoseHeadDoesNotEnd) {
  ServerFixture fixture({.headTimeout = milliseconds(50)});
  FramePeer client(fixture.address);
  client.send(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, block(get()));  // without END_HEADERS
  EXPECT_EQ(goawayError(client), std::uint32_t{NGHTTP2_ENHANCE_YOUR_CALM});
  EXPECT_TRUE(client.atEnd());
}

TEST(Http2Bounds, ClosesIdleConnectionsButNoneThatIsInUse) {
  ServerFixture fixture({.idleTimeout = milliseconds(50)});
  keepSilent(fixture);
  FramePeer busyOne(fixture.address), idleOne(fixture.address);
  busyOne.headers(1, get("/silent"));
  idleOne.headers(1, get());
  EXPECT_EQ(idleOne.awaitBody(1), "GET / ");
  EXPECT_EQ(goawayError(idleOne), std::uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_TRUE(idleOne.atEnd());
  idleOne.close();
  EXPECT_TRUE(eventually([&] { return connections(fixture) == 1; }));
  EXPECT_EQ(busy(fixture), 1u);
  busyOne.reset(1);
  EXPECT_EQ(goawayError(busyOne), std::uint32_t{NGHTTP2_NO_ERROR});
}

TEST(Http2Bounds, CutsAStreamWhoseClientOpensNoWindow) {
  ServerFixture fixture({.sendTimeout = milliseconds(50)});
  fixture.app.answer = [](Exchange& exchange, const std::string&) { exchange.respond(200, "", std::string(100'000, 'x')); };
  FramePeer client(fixture.address);
  client.headers(1, get());
  EXPECT_EQ(client.await(NGHTTP2_RST_STREAM, 1).error(), std::uint32_t{NGHTTP2_CANCEL});
  EXPECT_TRUE(eventually([&] { return fixture.thread.sync([&] { return fixture.app.broken; }) == 1; }));
  EXPECT_EQ(connections(fixture), 1u);
}

// --- goodbyes ---

TEST(Http2Bounds, DrainsAfterTheStreamsThatAreOpenOrOnTheirWay) {
  ServerFixture fixture;
  Exchange* open = nullptr;
  struct Keep final : ExchangeHandler {
    void onBody(Exchange&, std::string_view) override {}
    void onBodyEnd(Exchange&) override {}
    void onEnd(Exchange&, bool) override {}
  } keep;
  fixture.app.takesOver = [&](Exchange& exchange) -> ExchangeHandler* {
    if (exchange.head().path != "/open") return nullptr;
    open = &exchange;
    return &keep;
  };
  FramePeer client(fixture.address);
  client.headers(1, get("/open"));
  ASSERT_TRUE(eventually([&] { return busy(fixture) == 1; }));
  std::promise<void> drained;
  fixture.thread.sync([&] { fixture.server->drain([&] { drained.set_value(); }); });
  const Frame notice = client.await(NGHTTP2_GOAWAY);
  EXPECT_EQ(notice.number(0), 0x7fffffffu);
  const Frame ping = client.await(NGHTTP2_PING);
  client.headers(3, get());  // was on its way
  client.send(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, ping.payload);
  std::string body;
  for (std::uint32_t last = 0; last == 0 || body.empty();) {  // in either order
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    if (frame->type == NGHTTP2_GOAWAY) EXPECT_EQ(last = frame->number(0), 3u);
    if (frame->type == NGHTTP2_DATA) body = frame->payload;
  }
  EXPECT_EQ(body, "GET / ");
  client.headers(5, get());  // too late: not processed, so safe to send elsewhere
  fixture.thread.sync([&] { open->respond(200, "", "bye"); });
  EXPECT_EQ(client.awaitBody(1), "bye");
  EXPECT_TRUE(client.atEnd());
  client.close();
  EXPECT_EQ(drained.get_future().wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(fixture.thread.sync([&] { return fixture.app.requests; }), 2);
}

TEST(Http2Bounds, DrainsAConnectionThatDoesNotAnswer) {
  ServerFixture fixture;
  FramePeer client(fixture.address);
  client.headers(1, get());
  client.awaitBody(1);
  std::promise<void> drained;
  fixture.thread.sync([&] { fixture.server->drain([&] { drained.set_value(); }); });
  EXPECT_EQ(drained.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(Http2Bounds, ClosesAfterAResponseWhenAskedTo) {
  ServerFixture fixture;
  fixture.app.answer = [](Exchange& exchange, const std::string&) {
    exchange.closeAfter();
    exchange.respond(200, "", "bye");
  };
  FramePeer client(fixture.address);
  client.headers(1, get());
  EXPECT_EQ(client.awaitBody(1), "bye");
  EXPECT_EQ(goawayError(client), std::uint32_t{NGHTTP2_NO_ERROR});
}

}  // namespace
}  // namespace pilotlight::net
