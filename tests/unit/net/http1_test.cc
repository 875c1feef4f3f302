#include "net/http1.h"

#include <gtest/gtest.h>

namespace pilotlight::net {
namespace {

struct Refused {
  const char* name;
  std::string data;
  int status;
};

class RefusedRequest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequest, IsAnsweredWithItsStatus) {
  RequestHead head;
  int status = 0;
  ASSERT_EQ(parseRequestHead(GetParam().data, {}, head, status), Parse::bad);
  EXPECT_EQ(status, GetParam().status);
}

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Smuggling, RefusedRequest,
    testing::Values(
        Refused{"BothLengths", get("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refused{"TwoLengths", get("Content-Length: 3\r\nContent-Length: 3\r\n"), 400},
        Refused{"ListOfLengths", get("Content-Length: 3, 3\r\n"), 400}, Refused{"SignedLength", get("Content-Length: +3\r\n"), 400},
        Refused{"NegativeLength", get("Content-Length: -3\r\n"), 400}, Refused{"HexLength", get("Content-Length: 0x3\r\n"), 400},
        Refused{"HugeLength", get("Content-Length: 9999999999999999999\r\n"), 400},
        Refused{"ChunkedGzip", get("Transfer-Encoding: chunked, gzip\r\n"), 501},
        Refused{"TwoCodings", get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refused{"UnknownCoding", get("Transfer-Encoding: xchunked\r\n"), 501},
        Refused{"Http10Chunked", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Refused{"SpaceBeforeColon", get("Content-Length : 3\r\n"), 400}, Refused{"ObsFold", get("X: a\r\n b\r\n"), 400},
        Refused{"BareLf", "GET / HTTP/1.1\nHost: a\n\n", 400}, Refused{"BareLfInFields", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
        Refused{"BareCr", get("X: a\rb\r\n"), 400}, Refused{"Nul", get(std::string("X: a\0b\r\n", 8)), 400},
        Refused{"EmptyName", get(": x\r\n"), 400}, Refused{"NoColon", get("X\r\n"), 400}, Refused{"TwoHosts", get("Host: b\r\n"), 400},
        Refused{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400}, Refused{"HostWithSlash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        Refused{"OtherAuthority", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"UserInfo", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
        Refused{"Fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Refused{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"TabInLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Refused{"NoVersion", "GET /\r\nHost: a\r\n\r\n", 400},
        Refused{"Http2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505}, Refused{"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        Refused{"Connect", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        Refused{"RelativeTarget", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Refused{"Star", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"UnknownExpect", get("Expect: 200-maybe\r\n"), 417},
        Refused{"LongTarget", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
        Refused{"EndlessTarget", "GET /" + std::string(9000, 'a'), 414},
        Refused{"LongHead", get("X: " + std::string(17000, 'a') + "\r\n"), 431}),
    [](const auto& info) { return info.param.name; });

TEST(RequestHead, ReadsWhatItNeeds) {
  RequestHead head;
  int status = 0;
  const std::string data =
      "POST /a/b?x=1 HTTP/1.1\r\nHost: Ex.com:80\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: x, close\r\n\r\nhello";
  ASSERT_EQ(parseRequestHead(data, {}, head, status), Parse::done);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "x=1");
  EXPECT_EQ(head.host, "Ex.com:80");
  EXPECT_EQ(head.body, BodyKind::length);
  EXPECT_EQ(head.length, 5u);
  EXPECT_TRUE(head.expectContinue);
  EXPECT_FALSE(head.keepAlive);
  EXPECT_EQ(head.size, data.size() - 5);
  EXPECT_EQ(head.headers.get("CONNECTION"), "x, close");
}

TEST(RequestHead, TakesAnAbsoluteTargetApart) {
  RequestHead head;
  int status = 0;
  ASSERT_EQ(parseRequestHead("GET http://a:80/x HTTP/1.1\r\nHost: a:80\r\n\r\n", {}, head, status), Parse::done);
  EXPECT_EQ(head.target, "/x");
  EXPECT_EQ(head.host, "a:80");
}

TEST(RequestHead, AsksForMoreAtEveryPrefix) {
  const std::string data = get("Accept: */*\r\n");
  for (std::size_t i = 0; i < data.size(); ++i) {
    RequestHead head;
    int status = 0;
    EXPECT_EQ(parseRequestHead(data.substr(0, i), {}, head, status), Parse::more) << i;
  }
}

TEST(RequestHead, Http10ClosesUnlessAskedToStay) {
  RequestHead head;
  int status = 0;
  ASSERT_EQ(parseRequestHead("GET / HTTP/1.0\r\n\r\n", {}, head, status), Parse::done);
  EXPECT_FALSE(head.keepAlive);
  ASSERT_EQ(parseRequestHead("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", {}, head, status), Parse::done);
  EXPECT_TRUE(head.keepAlive);
}

TEST(RequestHead, BoundsTheNumberOfFields) {
  std::string fields;
  for (std::size_t i = 0; i < Headers::kMax; ++i) fields += "a: b\r\n";
  RequestHead head;
  int status = 0;
  ASSERT_EQ(parseRequestHead(get(fields), {}, head, status), Parse::bad);
  EXPECT_EQ(status, 431);
}

TEST(ResponseHead, KnowsWhenNoBodyFollows) {
  ResponseHead head;
  ASSERT_EQ(parseResponseHead("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, head), Parse::done);
  EXPECT_EQ(head.body, BodyKind::none);
  ASSERT_EQ(parseResponseHead("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, head), Parse::done);
  EXPECT_EQ(head.body, BodyKind::none);
  ASSERT_EQ(parseResponseHead("HTTP/1.1 200\r\n\r\n", false, head), Parse::done);
  EXPECT_EQ(head.body, BodyKind::untilClose);
  EXPECT_FALSE(head.keepAlive);
}

TEST(ResponseHead, RefusesWhatCouldBeReadInTwoWays) {
  ResponseHead head;
  for (const char* data :
       {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nX: y\n\n", "HTTP/1.1 099 X\r\n\r\n"})
    EXPECT_EQ(parseResponseHead(data, false, head), Parse::bad) << data;
}

TEST(HopByHop, EndsHere) {
  for (const char* name : {"Connection", "keep-alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection"})
    EXPECT_TRUE(isHopByHop(name)) << name;
  for (const char* name : {"Content-Type", "Accept", "Via", "Host"}) EXPECT_FALSE(isHopByHop(name)) << name;
}

}  // namespace
}  // namespace pilotlight::net
