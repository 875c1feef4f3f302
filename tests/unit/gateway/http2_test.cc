// Clients that speak HTTP/2 to functions that speak HTTP/1.1.
#include "../net/http2_frames.h"
#include "echo_tunnel.h"
#include "fixture.h"
#include "raw_replica.h"

namespace pilotlight::gateway::test {
namespace {

using net::test::bigEndian;
using net::test::Fields;
using net::test::FramePeer;
using net::test::valueOf;

Fields request(const std::string& method, const std::string& path, Fields more = {}) {
  Fields fields{{":method", method}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

TEST_F(GatewayTest, AFunctionSeesOfAnHttp2RequestWhatItSeesOfAnyOther) {
  apply(route());
  start();
  std::string seen;
  RawReplica replica([&](RawPeer& peer) {
    if (!peer.readRequest()) return;
    seen = peer.seen;
    peer.say(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mine: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n4\r\nfine\r\n0\r\nX-Took: "
        "5\r\n\r\n");
  });
  ASSERT_EQ(callHome("p", pod("p"), replica.address.port), 204);
  FramePeer client(gateway_->address());
  client.headers(1, request("POST", "/f/path?q=1", {{"content-length", "4"}, {"x-given", "yes"}}), false);
  client.data(1, "body", true);
  const Fields head = client.awaitHeaders(1);
  EXPECT_EQ(valueOf(head, ":status"), "200");
  EXPECT_EQ(valueOf(head, "x-mine"), "1");
  for (const char* name : {"x-hop", "connection", "transfer-encoding"}) EXPECT_EQ(valueOf(head, name), "(none)");
  std::string body;
  for (auto frame = client.next(); frame; frame = client.next()) {
    if (frame->type == NGHTTP2_DATA) body += frame->payload;
    if (frame->type == NGHTTP2_HEADERS) {
      EXPECT_EQ(valueOf(client.decode(*frame), "x-took"), "5") << "trailers";
      EXPECT_TRUE(frame->ends());
      break;
    }
  }
  EXPECT_EQ(body, "fine");
  EXPECT_TRUE(seen.starts_with("POST /path?q=1 HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("\r\nHost: localhost\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("\r\nx-given: yes\r\n"), std::string::npos);
  EXPECT_NE(seen.find("\r\nVia: 2 pilotlight\r\n"), std::string::npos);
  EXPECT_NE(seen.find("\r\nContent-Length: 4\r\n"), std::string::npos);
  EXPECT_TRUE(seen.ends_with("\r\n\r\nbody"));
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, RefusesAnHttp2RequestBeyondTheLimitsOnItsStreamAlone) {
  auto small = route();
  small.spec.limits.headers = 8;
  small.spec.limits.headerBytes = {1024};
  small.spec.limits.url = {64};
  small.spec.limits.body = {100};
  apply(small);
  start();
  ServerFixture server;
  replica("p", server);
  Fields many;
  for (int i = 0; i < 10; ++i) many.emplace_back("x-" + std::to_string(i), "1");
  FramePeer client(gateway_->address());
  std::uint32_t stream = 1;
  const auto expect = [&](const Fields& fields, const std::string& status, const std::string& limit) {
    client.headers(stream, fields, valueOf(fields, ":method") == "GET");
    EXPECT_EQ(valueOf(client.awaitHeaders(stream), ":status"), status) << limit;
    EXPECT_EQ(Json::parse(client.awaitBody(stream))["limit"], limit);
    stream += 2;
  };
  expect(request("POST", "/f", {{"content-length", "101"}}), "413", "http.limits.body");
  expect(request("GET", "/f/" + std::string(100, 'a')), "414", "http.limits.url");
  expect(request("GET", "/f", many), "431", "http.limits.headers");
  expect(request("GET", "/f", {{"x-long", std::string(1100, 'a')}}), "431", "http.limits.headerBytes");
  client.headers(stream, request("GET", "/f"));
  EXPECT_EQ(valueOf(client.awaitHeaders(stream), ":status"), "200") << "the connection is as good as before";
  EXPECT_EQ(server.thread.sync([&] { return server.app.requests; }), 1);
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, StopsAnHttp2BodyThatGrowsBeyondTheLimitOnItsStreamAlone) {
  auto small = route();
  small.spec.limits.body = {30'000};
  apply(small);
  start();
  ServerFixture server;
  replica("p", server);
  FramePeer client(gateway_->address());
  client.headers(1, request("POST", "/f"), false);
  client.data(1, std::string(10'000, 'x'));
  ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.requests; }) == 1; }));
  for (int i = 0; i < 3; ++i) client.data(1, std::string(10'000, 'x'));
  EXPECT_EQ(valueOf(client.awaitHeaders(1), ":status"), "413");
  client.headers(3, request("GET", "/f"));
  EXPECT_EQ(valueOf(client.awaitHeaders(3), ":status"), "200");
  EXPECT_TRUE(eventually([&] { return server.thread.sync([&] { return server.app.broken; }) == 1; })) << "the handler's request is cut";
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, AnHttp2ClientThatResetsItsStreamFreesTheSlotAndCutsTheReplicasRequest) {
  auto single = route();
  single.spec.backends[0].perReplica = 1;
  apply(single);
  start();
  std::atomic<int> cut = 0;
  RawReplica replica([&](RawPeer& peer) {
    while (peer.readRequest() && peer.seen.starts_with("GET /next ")) {
      peer.seen.clear();
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
    }
    if (peer.seen.empty()) return;
    if (peer.seen.starts_with("GET /begun ")) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun");
    peer.readOn();
    ++cut;
  });
  ASSERT_EQ(callHome("p", pod("p"), replica.address.port), 204);
  FramePeer client(gateway_->address());
  std::uint32_t stream = 1;
  for (const std::string path : {"/f/silent", "/f/begun"}) {
    const int before = cut;
    client.headers(stream, request("GET", path));
    if (path == "/f/begun") EXPECT_EQ(client.await(NGHTTP2_DATA, stream).payload, "begun");
    ASSERT_TRUE(eventually([&] { return load().inFlight == 1; }));
    client.headers(stream + 2, request("GET", "/f/next"));
    ASSERT_TRUE(eventually([&] { return load().queued == 1; }));
    client.reset(stream);
    EXPECT_EQ(valueOf(client.awaitHeaders(stream + 2), ":status"), "200") << "it got the slot";
    EXPECT_TRUE(eventually([&] { return cut == before + 1; })) << "its handler learns of it";
    stream += 4;
  }
  EXPECT_TRUE(idle());
}

TEST_F(GatewayTest, CarriesAWebSocketOverHttp2ToAFunctionThatKnowsNothingOfIt) {
  apply(route());
  start();
  ServerFixture server;
  server.app.takesOver = EchoTunnel::accept;
  replica("p", server);
  FramePeer client(gateway_->address());
  const auto settings = client.await(NGHTTP2_SETTINGS);
  EXPECT_NE(settings.payload.find(net::test::setting(8, 1)), std::string::npos) << "SETTINGS_ENABLE_CONNECT_PROTOCOL";
  client.headers(1, request("CONNECT", "/f/chat", {{":protocol", "websocket"}, {"sec-websocket-version", "13"}}), false);
  EXPECT_EQ(valueOf(client.awaitHeaders(1), ":status"), "200");
  for (const std::string part : {"hello", "again"}) {
    client.data(1, part);
    EXPECT_EQ(client.await(NGHTTP2_DATA, 1).payload, part);
  }
  EXPECT_EQ(load().inFlight, 1) << "the connection holds its slot";
  client.headers(3, request("GET", "/nobody"));
  EXPECT_EQ(valueOf(client.awaitHeaders(3), ":status"), "404") << "others go on beside it";
  client.data(1, "last words", true);
  EXPECT_EQ(client.awaitBody(1), "last words");
  EXPECT_TRUE(idle());
}

}  // namespace
}  // namespace pilotlight::gateway::test
