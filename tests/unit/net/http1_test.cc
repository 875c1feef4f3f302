#include "net/http1.h"

#include <gtest/gtest.h>

namespace pilotlight::net {
namespace {

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

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

TEST(RequestHead, RefusesAHeadAsSoonAsItIsTooLong) {
  RequestHead head;
  int status = 0;
  ASSERT_EQ(parseRequestHead("GET /" + std::string(9000, 'a'), {}, head, status), Parse::bad);
  EXPECT_EQ(status, 414);
  ASSERT_EQ(parseRequestHead("GET / HTTP/1.1\r\nX: " + std::string(17000, 'a'), {}, head, status), Parse::bad);
  EXPECT_EQ(status, 431);
}

TEST(RequestHead, KeepsToTheLimitsGiven) {
  RequestHead head;
  int status = 0;
  const HeadLimits limits{.bytes = 100, .targetBytes = 10, .fields = 2};
  EXPECT_EQ(parseRequestHead("GET /345678901 HTTP/1.1\r\nHost: a\r\n\r\n", limits, head, status), Parse::done);
  EXPECT_EQ(parseRequestHead("GET /3456789012 HTTP/1.1\r\nHost: a\r\n\r\n", limits, head, status), Parse::bad);
  EXPECT_EQ(status, 414);
  EXPECT_EQ(parseRequestHead(get("X: y\r\n"), limits, head, status), Parse::done);
  EXPECT_EQ(parseRequestHead(get("X: y\r\nX: y\r\n"), limits, head, status), Parse::bad);
  EXPECT_EQ(status, 431);
  EXPECT_EQ(parseRequestHead(get("X: " + std::string(100, 'y') + "\r\n"), limits, head, status), Parse::bad);
  EXPECT_EQ(status, 431);
}

TEST(RequestHead, NamesTheProtocolToUpgradeTo) {
  RequestHead head;
  int status = 0;
  const auto upgrade = [&](const std::string& data) {
    EXPECT_EQ(parseRequestHead(data, {}, head, status), Parse::done) << data;
    return head.upgrade;
  };
  EXPECT_EQ(upgrade(get("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n")), "websocket");
  EXPECT_EQ(upgrade(get("Connection: upgrade\r\nUpgrade: chat/1.0\r\n")), "chat/1.0");
  EXPECT_EQ(upgrade(get("Upgrade: websocket\r\n")), "") << "Connection does not list it";
  EXPECT_EQ(upgrade(get("Connection: upgrade\r\n")), "") << "no Upgrade";
  EXPECT_EQ(upgrade(get("Upgrade: websocket, chat\r\nConnection: upgrade\r\n")), "") << "a choice";
  EXPECT_EQ(upgrade(get("Upgrade: websocket\r\nUpgrade: chat\r\nConnection: upgrade\r\n")), "") << "a choice";
  EXPECT_EQ(upgrade(get("Upgrade: h2c\r\nConnection: upgrade\r\n")), "") << "would carry requests past the proxy";
  EXPECT_EQ(upgrade(get("Upgrade: HTTP/2.0\r\nConnection: upgrade\r\n")), "") << "would carry requests past the proxy";
  EXPECT_EQ(upgrade(get("Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 1\r\n")), "") << "a body";
  EXPECT_EQ(upgrade("GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), "") << "HTTP/1.0";
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

TEST(ResponseHead, OfSwitchingProtocolsOpensATunnel) {
  ResponseHead head;
  ASSERT_EQ(parseResponseHead("HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\n\r\n", false, head), Parse::done);
  EXPECT_EQ(head.body, BodyKind::tunnel);
  EXPECT_EQ(head.length, 0u);
  EXPECT_FALSE(head.keepAlive);
}

TEST(HopByHop, EndsHere) {
  for (const char* name : {"Connection", "keep-alive", "TE", "Transfer-Encoding", "Upgrade", "Proxy-Connection"})
    EXPECT_TRUE(isHopByHop(name)) << name;
  for (const char* name : {"Content-Type", "Accept", "Via", "Host", "Trailer"}) EXPECT_FALSE(isHopByHop(name)) << name;
}

TEST(Names, AreComparedWithoutCaseAndNothingElse) {
  const std::string name = "x-forwarded-for-@[`{~";  // neighbours of the letters in ASCII
  for (std::size_t size = 0; size <= name.size(); ++size) {
    const std::string_view part = std::string_view(name).substr(0, size);
    std::string upper(part);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    EXPECT_TRUE(equalsIgnoreCase(part, upper)) << part;
    for (std::size_t i = 0; i < size; ++i) {
      for (int c = 0; c < 256; ++c) {
        std::string other(upper);
        other[i] = static_cast<char>(c);
        EXPECT_EQ(equalsIgnoreCase(part, other), std::tolower(c) == part[i] || c == part[i]) << part << " " << i << " " << c;
      }
    }
  }
}

}  // namespace
}  // namespace pilotlight::net
