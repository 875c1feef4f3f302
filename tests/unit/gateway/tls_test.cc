// What the gateway makes of TLS: forwarded fields, redirects, visibility, metrics, and that it is replaced without a lost request.
#include "../tls/pair.h"
#include "echo_tunnel.h"
#include "fixture.h"
#include "tests/support/temp_dir.h"

namespace pilotlight::gateway::test {
namespace {

using tls::test::Client;
using tls::test::makePair;

class TlsGateway : public GatewayTest {
 protected:
  TlsGateway() {
    write(makePair("DNS:a.example"));
    options_.tls.listen = {"127.0.0.1", 0};
    options_.tls.certificates = {tls::certificateFolder((files_.path() / "shop-tls").string())};
    options_.tls.lookEvery = milliseconds(5);
  }
  void write(const tls::test::Pair& pair) {
    pilotlight::test::writeFile(files_.path() / "shop-tls/tls.crt", pair.certificate);
    pilotlight::test::writeFile(files_.path() / "shop-tls/tls.key", pair.key);
  }
  /// One request on a connection of its own.
  Response secureCall(const std::string& target, const std::string& fields = "") {
    Client client(gateway_->tlsAddress());
    if (!client.connect()) return {};
    client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + "\r\n");
    return parse(client.readAll());
  }
  bool metricsSay(const std::string& line) { return gateway_->metrics().find(line + "\n") != std::string::npos; }

  pilotlight::test::TempDir files_;
};

TEST_F(TlsGateway, TellsFunctionsOfIt) {
  apply(route());
  start();
  ServerFixture server;
  server.app.answer = [](net::Exchange& exchange, const std::string&) {
    std::string seen;
    for (const char* name : {"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"})
      seen += std::string(exchange.head().headers.get(name).value_or("none")) + "|";
    exchange.respond(200, "text/plain", seen);
  };
  replica("p", server);
  EXPECT_EQ(secureCall("/f").body, "127.0.0.1|https|for=127.0.0.1;host=\"localhost\";proto=https|");
  EXPECT_EQ(call(gateway_->address(), "/f").body, "127.0.0.1|http|for=127.0.0.1;host=\"localhost\";proto=http|");
}

TEST_F(TlsGateway, HidesClusterFunctionsAsThePublicListenerDoes) {
  auto hidden = route();
  hidden.spec.visibility = api::Visibility::cluster;
  apply(hidden);
  start();
  ServerFixture server;
  replica("p", server);
  EXPECT_EQ(secureCall("/f").status, 404);
  EXPECT_EQ(secureCall("/_pilotlight/register").status, 404);
  EXPECT_EQ(secureCall("/metrics").status, 404);
  EXPECT_EQ(call(gateway_->internalAddress(), "/f").status, 200);
}

TEST_F(TlsGateway, RedirectsWhatCameWithoutIt) {
  options_.tls.redirectTo = 443;
  apply(route());
  start();
  ServerFixture server;
  replica("p", server);
  const auto there = call(gateway_->address(), "/f/a?b=c", "POST");
  EXPECT_EQ(there.status, 308);
  EXPECT_EQ(there.header("Location"), "https://localhost/f/a?b=c");
  EXPECT_EQ(call(gateway_->address(), "/f", "GET", "X-Forwarded-Proto: https\r\n").status, 200) << "a proxy in front had TLS";
  EXPECT_EQ(secureCall("/f").status, 200);
  EXPECT_EQ(call(gateway_->internalAddress(), "/f").status, 200) << "callers of the cluster have none";
}

TEST_F(TlsGateway, RedirectsToAnotherPortWithoutTheFirstOne) {
  options_.tls.redirectTo = 8443;
  start();
  for (const auto& [host, to] : {std::pair("a.example:8080", "https://a.example:8443/"), std::pair("[::1]:8080", "https://[::1]:8443/"),
                                 std::pair("[::1]", "https://[::1]:8443/"), std::pair("a.example", "https://a.example:8443/")}) {
    RawClient client(gateway_->address());
    client.send("GET / HTTP/1.1\r\nConnection: close\r\nHost: " + std::string(host) + "\r\n\r\n");
    EXPECT_EQ(parse(client.readAll()).header("Location"), to);
  }
}

TEST_F(TlsGateway, CarriesUpgradesAndLargeAnswers) {
  apply(route());
  start();
  ServerFixture server;
  server.app.takesOver = EchoTunnel::accept;
  server.app.answer = [](net::Exchange& exchange, const std::string&) { exchange.respond(200, "text/plain", std::string(5 << 20, 'x')); };
  replica("p", server);
  EXPECT_EQ(secureCall("/f").body.size(), 5u << 20);
  Client client(gateway_->tlsAddress());
  ASSERT_TRUE(client.connect());
  client.send("GET /f HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(client.readUntil("\r\n\r\n").starts_with("HTTP/1.1 101"));
  client.send("ping");
  EXPECT_EQ(client.readUntil("ping"), "ping");
  EXPECT_EQ(SSL_shutdown(client.ssl), 0);
  EXPECT_EQ(client.readAll(), "");
  EXPECT_EQ(client.end(), Client::End::clean);
}

TEST_F(TlsGateway, MetricsTellHandshakesAndWhenCertificatesExpire) {
  start();
  EXPECT_EQ(secureCall("/").status, 404);
  EXPECT_TRUE(metricsSay("pilotlight_gateway_tls_handshakes_total{outcome=\"full\"} 1"));
  EXPECT_EQ(call(gateway_->tlsAddress(), "/").status, 0);
  EXPECT_TRUE(eventually([&] { return metricsSay("pilotlight_gateway_tls_handshakes_total{outcome=\"not_tls\"} 1"); }));
  EXPECT_NE(gateway_->metrics().find("pilotlight_gateway_tls_certificate_expiry_timestamp_seconds{certificate=\"shop-tls\"} 1"),
            std::string::npos);
  EXPECT_TRUE(metricsSay("pilotlight_gateway_tls_certificate_refused{certificate=\"shop-tls\"} 0"));
  write({"-----BEGIN", "nonsense"});
  EXPECT_TRUE(eventually([&] { return metricsSay("pilotlight_gateway_tls_certificate_refused{certificate=\"shop-tls\"} 1"); }));
  EXPECT_TRUE(eventually([&] {
    return log().find("new certificate can't be used; the last good one stays\",\"certificate\":\"shop-tls\"") != std::string::npos;
  })) << log();
  EXPECT_EQ(log().find("nonsense"), std::string::npos);
  EXPECT_EQ(secureCall("/").status, 404) << "the old one is shown";
}

TEST_F(TlsGateway, DrainsIt) {
  apply(route());
  start();
  ServerFixture server;
  net::Exchange* waiting = nullptr;
  server.app.answer = [&](net::Exchange& exchange, const std::string&) { waiting = &exchange; };
  replica("p", server);
  Client client(gateway_->tlsAddress());
  ASSERT_TRUE(client.connect());
  client.send("GET /f HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.thread.sync([&] { return waiting != nullptr; }); }));
  std::thread ending([&] { gateway_->drain(seconds(20)); });
  server.thread.loop.post([&] { waiting->respond(200, "text/plain", "at last"); });
  EXPECT_EQ(parse(client.readAll()).body, "at last");
  EXPECT_EQ(client.end(), Client::End::clean);
  ending.join();
}

TEST_F(TlsGateway, DoesNotStartWithACertificateThatCannotBeUsed) {
  write({"-----BEGIN", "nonsense"});
  gateway_ = std::make_unique<Gateway>(cluster_, options_);
  const auto started = gateway_->start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("certificate 'shop-tls'"), std::string::npos) << started.error();
  EXPECT_EQ(started.error().find("nonsense"), std::string::npos);
}

}  // namespace
}  // namespace pilotlight::gateway::test
