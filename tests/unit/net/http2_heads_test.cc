// Which requests a server of HTTP/2 takes, and how it refuses the others.
#include "http2_fixture.h"

namespace pilotlight::net {
namespace {

using namespace test;

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
    testing::Values(Head{"Plain", get(), "200"},
                    Head{"HostForAuthority", {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}}, "200"},
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
                    Head{
                        "LongMethod", {{":method", std::string(40, 'M')}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}, "400"},
                    Head{"LowerCaseMethod", {{":method", "get"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}, "400"},
                    Head{"LongPath", get("/" + std::string(9000, 'p')), "414"}, Head{"ManyFields", many(101), "431"},
                    Head{"EnoughFields", many(100), "200"},
                    Head{"LargeField", with(with(get(), "x-a", std::string(7000, 'a')), "x-b", std::string(7000, 'b')), "431"},
                    Head{"UpperCase", with(get(), "X-Upper", "1"), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"LineFeed", with(get(), "x-a", "1\nhost: b"), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"Nul", with(get(), "x-a", std::string("1\0", 2)), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"SpaceInName", with(get(), "x a", "1"), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"TransferEncoding", with(get(), "transfer-encoding", "chunked"), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"Connection", with(get(), "connection", "close"), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"OtherTe", with(get(), "te", "gzip"), "", NGHTTP2_PROTOCOL_ERROR},
                    Head{"TeTrailers", with(get(), "te", "trailers"), "200"},
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

}  // namespace
}  // namespace pilotlight::net
