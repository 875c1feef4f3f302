// The transport over real sockets: TLS, credentials, deadlines, and the library's traps.
#include "kube/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <condition_variable>
#include <csignal>
#include <fstream>

#include "test_server.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

namespace {

void ok(TestConnection& connection, const TestRequest&) {
  connection.answer(200, "fine");
}

std::unique_ptr<Transport> open(TransportOptions options) {
  auto transport = makeTransport(options);
  EXPECT_TRUE(transport.has_value()) << (transport ? "" : transport.error().message);
  return *std::move(transport);
}

HttpRequest write(const std::string& method = "PATCH") {
  return {.method = method, .target = "/x", .body = "{}", .contentType = "application/json"};
}

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() { std::signal(SIGPIPE, SIG_IGN); }
  const TestIdentity authority = makeAuthority("authority");
  const TestIdentity stranger = makeAuthority("stranger");
  const TestIdentity server = issue(authority, "server", {"IP:127.0.0.1", "DNS:kubernetes.default"});
};

}  // namespace

TEST_F(TlsTest, AServerOfTheRightAuthorityIsTrusted) {
  TestServer listening(ok, TestServerTls{server});
  const auto answer = open({.baseUrl = listening.url(), .tls = {.caPem = authority.certificate}})->send({.target = "/x"});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "fine");
}

TEST_F(TlsTest, AServerOfAnotherAuthorityIsRefusedBeforeAnythingIsSent) {
  TestServer listening(ok, TestServerTls{server});
  const auto transport = open({.baseUrl = listening.url(),
                               .tls = {.caPem = stranger.certificate},
                               .credentials = fixedCredentials({.bearerToken = "secret-token"})});
  const auto answer = transport->send(write());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::unavailable) << "certainly not sent";
  EXPECT_THAT(answer.error().message, HasSubstr("TLS handshake: unable to get local issuer certificate"));
  EXPECT_THAT(answer.error().message, ::testing::Not(HasSubstr("secret-token")));
  EXPECT_THAT(listening.lines(), SizeIs(0));
}

TEST_F(TlsTest, AServerOfAnotherNameIsRefusedUnlessThatNameIsExpected) {
  const TestIdentity elsewhere = issue(authority, "server", {"DNS:kubernetes.default"});
  TestServer listening([](TestConnection& connection, const TestRequest& request) { connection.answer(200, request.header("Host")); },
                       TestServerTls{elsewhere});
  const auto refused = open({.baseUrl = listening.url(), .tls = {.caPem = authority.certificate}})->send({.target = "/x"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("its certificate is for another name"));
  EXPECT_THAT(listening.lines(), SizeIs(0));
  const auto named = open({.baseUrl = listening.url(), .tls = {.caPem = authority.certificate, .serverName = "kubernetes.default"}});
  const auto answer = named->send({.target = "/x"});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "kubernetes.default");
}

TEST_F(TlsTest, TheSystemsAuthoritiesHaveNoSayOverAClusterWithItsOwn) {
  const test::TempDir dir;
  test::writeFile(dir.path() / "system.pem", authority.certificate);
  ::setenv("SSL_CERT_FILE", (dir.path() / "system.pem").c_str(), 1);
  TestServer listening(ok, TestServerTls{server});
  EXPECT_TRUE(open({.baseUrl = listening.url()})->send({.target = "/x"}).has_value()) << "without its own, they have";
  EXPECT_FALSE(open({.baseUrl = listening.url(), .tls = {.caPem = stranger.certificate}})->send({.target = "/x"}).has_value());
  ::unsetenv("SSL_CERT_FILE");
}

TEST_F(TlsTest, InsecureTrustsAnyone) {
  TestServer listening(ok, TestServerTls{server});
  EXPECT_TRUE(open({.baseUrl = listening.url(), .tls = {.insecureSkipVerify = true}})->send({.target = "/x"}).has_value());
}

TEST_F(TlsTest, ShowsItsClientCertificate) {
  const TestIdentity client = issue(authority, "system:admin", {});
  TestServer listening([](TestConnection& connection, const TestRequest& request) { connection.answer(200, request.clientName); },
                       TestServerTls{server, authority.certificate});
  const auto named = open({.baseUrl = listening.url(),
                           .tls = {.caPem = authority.certificate},
                           .credentials = fixedCredentials({.certificate = client.certificate, .key = client.key})});
  const auto answer = named->send({.target = "/x"});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "system:admin");
  EXPECT_FALSE(open({.baseUrl = listening.url(), .tls = {.caPem = authority.certificate}})->send({.target = "/x"}).has_value());
}

TEST_F(TlsTest, ClosingAnIdleConnectionIsNoticedThroughTls) {
  TestServer listening(
      [](TestConnection& connection, const TestRequest&) {
        connection.answer(200, "fine");
        connection.close();
      },
      TestServerTls{server});
  const auto transport = open({.baseUrl = listening.url(), .tls = {.caPem = authority.certificate}});
  for (int i = 0; i < 20; ++i) {
    const auto answer = transport->send(write());
    ASSERT_TRUE(answer.has_value() || answer.error().code == ErrorCode::timeout) << answer.error().message;
  }
}

TEST(Tls, WhatCannotBeUsedIsSaidWithoutItsContent) {
  const TestIdentity one = makeAuthority("one");
  const TestIdentity two = makeAuthority("two");
  EXPECT_TRUE(checkTls({.caPem = one.certificate}, one.certificate, one.key));
  EXPECT_THAT(checkTls({.caPem = "nonsense"}, "", "").error(), HasSubstr("certificate authority"));
  EXPECT_THAT(checkTls({}, one.certificate, two.key).error(), HasSubstr("does not belong"));
  EXPECT_THAT(checkTls({}, one.certificate, "nonsense").error(), HasSubstr("client key"));
  EXPECT_THAT(checkTls({}, one.certificate, "").error(), HasSubstr("needs its key"));
  EXPECT_FALSE(makeTransport({.baseUrl = "https://127.0.0.1:1", .tls = {.caPem = "nonsense"}}).has_value());
  EXPECT_FALSE(makeTransport({.baseUrl = "ftp://127.0.0.1:1"}).has_value());
}

TEST(Transport, AskedAgainOnceWithNewCredentialsAfterA401) {
  TestServer listening([](TestConnection& connection, const TestRequest& request) {
    const bool fresh = request.header("Authorization") == "Bearer new";
    connection.answer(fresh ? 200 : 401, request.body);
  });
  const test::TempDir dir;
  test::writeFile(dir.path() / "token", "old\n");
  const auto transport = open({.baseUrl = listening.url(), .credentials = tokenFileCredentials({.path = dir.path() / "token"})});
  EXPECT_EQ(transport->send(write())->status, 401);
  EXPECT_THAT(listening.lines(), SizeIs(1)) << "the file still says the same";
  test::writeFile(dir.path() / "token", "new\n");
  const auto answer = transport->send(write());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "{}") << "the body goes with it";
}

TEST(Transport, AWriteIsNeverSentTwice) {
  TestServer listening([count = 0](TestConnection& connection, const TestRequest& request) mutable {
    if (request.line.starts_with("GET /warm")) return connection.answer(200, "warm");
    if (request.line.starts_with("GET") && ++count > 1) return connection.answer(200, "again");
    connection.close();  // after it was read: it may have been done
  });
  const auto transport = open({.baseUrl = listening.url()});
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    const auto warm = transport->send({.target = "/warm"});
    ASSERT_TRUE(warm.has_value()) << method << warm.error().message;  // so that the connection is a pooled one
    const auto before = listening.lines().size();
    const auto answer = transport->send(write(method));
    ASSERT_FALSE(answer.has_value()) << method;
    EXPECT_EQ(answer.error().code, ErrorCode::timeout) << "undecided: " << answer.error().message;
    EXPECT_EQ(listening.lines().size(), before + 1) << method;
  }
  ASSERT_TRUE(transport->send({.target = "/warm"}).has_value());
  // A read may be: it is, when the connection was a pooled one, and the library pools it a moment after the answer before.
  const auto read = transport->send({.target = "/read"});
  if (read) {
    EXPECT_EQ(read->body, "again");
  } else {
    EXPECT_EQ(read.error().code, ErrorCode::unavailable) << read.error().message;
  }
}

TEST(Transport, AConnectionThatTheServerClosedWhileIdleIsNotWrittenTo) {
  std::mutex mutex;
  std::condition_variable closed;
  int closedSoFar = 0;
  TestServer listening([&](TestConnection& connection, const TestRequest&) {
    connection.answer(200, "fine");
    connection.close();
    const std::lock_guard lock(mutex);
    ++closedSoFar;
    closed.notify_all();
  });
  const auto transport = open({.baseUrl = listening.url()});
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(transport->send(write()).has_value()) << i;
    std::unique_lock lock(mutex);
    ASSERT_TRUE(closed.wait_for(lock, seconds(30), [&] { return closedSoFar == i; }));
  }
  EXPECT_EQ(listening.connections(), 10);
}

TEST(Transport, ConnectionsAreReused) {
  TestServer listening(ok);
  const auto transport = open({.baseUrl = listening.url()});
  constexpr int kRequests = 100;
  for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(transport->send(write()).has_value());
  // The library gives a connection back a moment after the answer: the next request may come before it.
  EXPECT_LT(listening.connections(), kRequests / 2);
}

TEST(Transport, NobodyListeningIsUnavailableAlsoForAWrite) {
  std::string url;
  {
    TestServer gone(ok);
    url = gone.url();
  }
  const auto answer = open({.baseUrl = url})->send(write());
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
}

TEST(Transport, EveryWaitEnds) {
  TestServer silent([](TestConnection& connection, const TestRequest&) { connection.untilClosed(); });
  const auto transport = open({.baseUrl = silent.url()});
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(transport->send({.target = "/x", .deadline = milliseconds(50)}).error().code, ErrorCode::timeout);
  EXPECT_EQ(transport->stream({.target = "/x", .deadline = milliseconds(50)}).error().code, ErrorCode::timeout);
  EXPECT_EQ(transport->send({.target = "/x", .idleTimeout = milliseconds(50)}).error().code, ErrorCode::timeout);
  std::thread stopping([&] { transport->shutdown(); });
  EXPECT_EQ(transport->send({.target = "/x"}).error().code, ErrorCode::cancelled);
  stopping.join();
  EXPECT_EQ(transport->send({.target = "/x"}).error().code, ErrorCode::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(30));
}

TEST(Transport, ADripOfBytesDoesNotOutlastTheDeadline) {
  TestServer dripping([](TestConnection& connection, const TestRequest&) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.write("1\r\nx\r\n")) std::this_thread::sleep_for(milliseconds(5));
  });
  std::signal(SIGPIPE, SIG_IGN);
  const auto answer = open({.baseUrl = dripping.url()})->send({.target = "/x", .deadline = milliseconds(100)});
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::timeout);
}

TEST(Transport, AnswersAreBoundedAndStreamsWaitForTheirReader) {
  const std::string block = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  std::atomic<std::size_t> written{0};
  TestServer flooding([&](TestConnection& connection, const TestRequest&) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.write(block)) written += 0x10000;
  });
  const auto transport = open({.baseUrl = flooding.url(), .maxResponseBytes = 1U << 20});
  const auto whole = transport->send({.target = "/x"});
  ASSERT_FALSE(whole.has_value());
  EXPECT_THAT(whole.error().message, HasSubstr("more than 1048576 bytes"));

  written = 0;
  auto streamed = transport->stream({.target = "/x"});
  ASSERT_TRUE(streamed.has_value());
  constexpr std::size_t kRead = 100U << 20;
  std::size_t read = 0, most = 0;
  while (read < kRead) {
    const auto part = streamed->body->next(seconds(30));
    ASSERT_TRUE(part && *part && !(*part)->empty()) << (part ? "" : part.error().message);
    EXPECT_EQ((*part)->find_first_not_of('x'), std::string::npos);
    read += (*part)->size();
    most = std::max(most, written - std::min<std::size_t>(read, written));
  }
  EXPECT_LT(most, 32U << 20) << "the rest is in the sockets' buffers";
}

TEST(Transport, RedirectsAreNotFollowedSinceTheyWouldTakeTheTokenAlong) {
  TestServer elsewhere(ok);
  TestServer listening(
      [&](TestConnection& connection, const TestRequest&) { connection.answer(302, "", "Location: " + elsewhere.url() + "/y\r\n"); });
  EXPECT_EQ(open({.baseUrl = listening.url()})->send({.target = "/x"})->status, 302);
  EXPECT_THAT(elsewhere.lines(), SizeIs(0));
}

TEST(Transport, AStreamComesAsItIsWrittenAndEndsAsTheServerEndsIt) {
  std::atomic<bool> abruptly{false};
  TestServer listening([&](TestConnection& connection, const TestRequest&) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    if (abruptly) return connection.close();
    connection.write("0\r\n\r\n");
  });
  const auto transport = open({.baseUrl = listening.url()});
  auto streamed = transport->stream({.target = "/x"});
  ASSERT_TRUE(streamed.has_value());
  EXPECT_EQ(**streamed->body->next(seconds(30)), "hello");
  EXPECT_EQ(**streamed->body->next(seconds(30)), "");
  abruptly = true;
  auto cut = transport->stream({.target = "/x"});
  ASSERT_TRUE(cut.has_value());
  EXPECT_EQ(**cut->body->next(seconds(30)), "hello");
  EXPECT_EQ(cut->body->next(seconds(30)).error().code, ErrorCode::unavailable);
}

TEST(Transport, AStreamCanBeLeftAtAnyTime) {
  TestServer silent([](TestConnection& connection, const TestRequest&) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.untilClosed();
  });
  const auto transport = open({.baseUrl = silent.url()});
  for (int i = 0; i < 20; ++i) {
    auto streamed = transport->stream({.target = "/x"});
    ASSERT_TRUE(streamed.has_value());
    if (i % 2 == 0) continue;
    std::thread canceller([&] { streamed->body->cancel(); });
    EXPECT_EQ(streamed->body->next(seconds(30)).error().code, ErrorCode::cancelled);
    canceller.join();
  }
}

}  // namespace pilotlight::kube
