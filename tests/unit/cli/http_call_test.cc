#include "cli/http_call.h"

#include <gmock/gmock.h>

#include <csignal>

#include "tests/unit/kube/rest/test_server.h"

namespace pilotlight::cli {
namespace {

using kube::TestConnection;
using kube::TestRequest;
using kube::TestServer;
using ::testing::HasSubstr;

struct Got {
  int status = 0;
  std::string body, error;
};

Got ask(HttpCall what) {
  Got got;
  what.request.idleTimeout = std::chrono::seconds(20);
  const auto done = call(what, {.onHead = [&](const kube::HttpResponse& head) { got.status = head.status; },
                                .onBody =
                                    [&](std::string_view part) {
                                      got.body += part;
                                      return true;
                                    }});
  if (!done) got.error = done.error().message;
  return got;
}

class HttpCallTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }  // as main() does
};

/// Answers with these bytes, then closes.
TestServer::Handler bytes(std::string text) {
  return [text = std::move(text)](TestConnection& connection, const TestRequest&) {
    connection.write(text);
    connection.close();
  };
}

TEST_F(HttpCallTest, SendsTheHostItIsGivenAndTheBody) {
  std::string head, body;
  TestServer server([&](TestConnection& connection, const TestRequest& request) {
    head = request.head;
    body = request.body;
    connection.answer(200, "ok");
  });
  const auto got =
      ask({.url = server.url(),
           .credentials = {.bearerToken = "t0"},
           .host = "hello.example",
           .request = {.method = "POST", .target = "/a?b=c", .headers = {{"X-One", "1"}}, .body = "12345", .contentType = "text/plain"}});
  EXPECT_EQ(got.status, 200) << got.error;
  EXPECT_EQ(got.body, "ok");
  EXPECT_EQ(body, "12345");
  for (const char* line :
       {"POST /a?b=c HTTP/1.1\r\n", "\r\nHost: hello.example\r\n", "\r\nX-One: 1\r\n", "\r\nAuthorization: Bearer t0\r\n"})
    EXPECT_THAT(head, HasSubstr(line));
}

TEST_F(HttpCallTest, ReadsEveryKindOfBody) {
  const auto body = [](const std::string& text) {
    TestServer server(bytes(text));
    return ask({.url = server.url(), .host = "h", .request = {.target = "/"}});
  };
  EXPECT_EQ(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body, "abcde");
  EXPECT_EQ(body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc").body, "abc");
  EXPECT_EQ(body("HTTP/1.1 200 OK\r\n\r\nuntil the end").body, "until the end");
  EXPECT_EQ(body("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").status, 404);
  EXPECT_EQ(body("HTTP/1.1 204 No Content\r\n\r\n").error, "");
  EXPECT_THAT(body("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").error, HasSubstr("the answer broke off"));
  EXPECT_THAT(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab").error, HasSubstr("the answer broke off"));
  EXPECT_THAT(body("").error, HasSubstr("without an answer"));
  EXPECT_THAT(body("SSH-2.0\r\n\r\n").error, HasSubstr("not HTTP/1.1"));
}

TEST_F(HttpCallTest, KnowsTheServerByItsOwnNameWhateverTheHostSays) {
  const auto authority = kube::makeAuthority("ours"), stranger = kube::makeAuthority("another");
  const auto identity = kube::issue(authority, "server", {"IP:127.0.0.1"});
  TestServer server([](TestConnection& connection, const TestRequest&) { connection.answer(200, "ok"); }, kube::TestServerTls{identity});
  const auto with = [&](kube::TlsOptions tls) {
    return ask({.url = server.url(), .tls = std::move(tls), .host = "hello.example", .request = {.target = "/"}});
  };
  EXPECT_EQ(with({.caPem = authority.certificate}).body, "ok");
  EXPECT_THAT(with({.caPem = stranger.certificate}).error, HasSubstr("TLS handshake: "));
  EXPECT_THAT(with({.caPem = authority.certificate, .serverName = "hello.example"}).error, HasSubstr("TLS handshake: "));
  EXPECT_THAT(with({}).error, HasSubstr("TLS handshake: "));  // the system's authorities know nothing of it
  EXPECT_EQ(with({.insecureSkipVerify = true}).body, "ok");
}

TEST_F(HttpCallTest, ShowsTheClientsCertificate) {
  const auto authority = kube::makeAuthority("ours");
  const auto identity = kube::issue(authority, "server", {"IP:127.0.0.1"}), user = kube::issue(authority, "me", {});
  std::string name;
  TestServer server(
      [&](TestConnection& connection, const TestRequest& request) {
        name = request.clientName;
        connection.answer(200, "");
      },
      kube::TestServerTls{identity, authority.certificate});
  const auto got = ask({.url = server.url(),
                        .tls = {.caPem = authority.certificate},
                        .credentials = {.certificate = user.certificate, .key = user.key},
                        .host = "h",
                        .request = {.target = "/"}});
  EXPECT_EQ(got.status, 200) << got.error;
  EXPECT_EQ(name, "me");
}

TEST_F(HttpCallTest, WhatIsNoRequestIsNotSent) {
  TestServer server(bytes(""));
  const auto error = [&](HttpCall what) {
    what.url = server.url();
    what.host = "h";
    return ask(std::move(what)).error;
  };
  EXPECT_THAT(error({.request = {.target = "/a b"}}), HasSubstr("encode them"));
  EXPECT_THAT(error({.request = {.target = "/", .headers = {{"X", "1\r\nY: 2"}}}}), HasSubstr("control characters"));
  EXPECT_EQ(server.connections(), 0);
  EXPECT_THAT(ask({.url = "ftp://x", .host = "h", .request = {.target = "/"}}).error, HasSubstr("must begin with http"));
  EXPECT_THAT(ask({.url = "http://127.0.0.1:1", .host = "h", .request = {.target = "/"}}).error,
              HasSubstr("cannot connect to 127.0.0.1:1"));
}

}  // namespace
}  // namespace pilotlight::cli
