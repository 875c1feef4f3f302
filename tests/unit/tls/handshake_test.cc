// Who is let in, with what, and what is kept out.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <random>

#include "fixture.h"
#include "tests/support/subprocess.h"

namespace pilotlight::tls::test {
namespace {

using net::TlsOutcome;

class Handshake : public TlsTest {};

TEST_F(Handshake, ServesTls12And13) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(address, {.version = version});
    ASSERT_TRUE(client.connect());
    EXPECT_EQ(SSL_version(client.ssl), version);
    EXPECT_TRUE(get(client, "/a").starts_with("HTTP/1.1 200 OK"));
    EXPECT_TRUE(get(client, "/b").starts_with("HTTP/1.1 200 OK")) << "the connection stays";
  }
  EXPECT_EQ(count(TlsOutcome::full), 2u);
}

TEST_F(Handshake, RefusesWhatIsTooOldOrNotSpokenHere) {
  start();
  EXPECT_FALSE(Client(address, {.version = TLS1_1_VERSION}).connect());
  EXPECT_TRUE(eventually([&] { return count(TlsOutcome::version) == 1; }));
  EXPECT_FALSE(Client(address, {.version = TLS1_2_VERSION, .ciphers = "AES128-SHA"}).connect()) << "no forward secrecy";
  EXPECT_TRUE(eventually([&] { return count(TlsOutcome::cipher) == 1; }));
  EXPECT_FALSE(Client(address, {.alpn = "\x08smtp/1.0"}).connect());
  EXPECT_TRUE(eventually([&] { return count(TlsOutcome::protocol) == 1; }));
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

TEST_F(Handshake, ChoosesHttp2WhenAClientOffersIt) {
  start();
  Client both(address, {.alpn = "\x08http/1.1\x02h2"});
  ASSERT_TRUE(both.connect());
  EXPECT_EQ(both.alpn(), "h2");
  Client one(address, {.alpn = "\x08http/1.1"});
  ASSERT_TRUE(one.connect());
  EXPECT_EQ(one.alpn(), "http/1.1");
  EXPECT_TRUE(get(one).starts_with("HTTP/1.1 200 OK"));
}

TEST_F(Handshake, OffersNoHttp2WhenThatIsSwitchedOff) {
  options.http2 = false;
  write("first", makePair("DNS:first.example"));
  StoreOptions stored{.certificates = {certificateFolder((files.path() / "first").string())}, .http2 = false, .log = {}};
  store = std::make_unique<Store>(std::move(stored));
  ASSERT_TRUE(store->start());
  thread.sync([&] {
    server = std::make_unique<net::Server>(thread.loop, app, options);
    auto fd = net::listenTcp({"127.0.0.1", 0});
    address = net::localAddress(fd->get());
    server->listen(std::move(*fd), store.get());
  });
  Client client(address, {.alpn = "\x02h2\x08http/1.1"});
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.alpn(), "http/1.1");
}

TEST_F(Handshake, CurlSpeaksHttp2ByAlpnAndChecksTheCertificate) {
  const Pair pair = makePair("DNS:a.example");
  write("first", pair);
  pilotlight::test::writeFile(files.path() / "ca.pem", pair.certificate);
  start();
  const std::string port = std::to_string(address.port);
  const std::string body(300'000, 'x');
  pilotlight::test::writeFile(files.path() / "body", body);
  for (const char* version : {"--http1.1", "--http2"}) {
    const auto done = pilotlight::test::run(
        {.argv = {"curl", "-sS", version, "--max-time", "20", "--cacert", (files.path() / "ca.pem").string(), "--resolve",
                  "a.example:" + port + ":127.0.0.1", "--data-binary", "@" + (files.path() / "body").string(), "-w",
                  "|%{http_version}|%{ssl_verify_result}", "https://a.example:" + port + "/up"}});
    EXPECT_EQ(done.exit, 0) << done.err;
    EXPECT_EQ(done.out, "POST /up " + body + (version == std::string("--http2") ? "|2|0" : "|1.1|0"));
  }
}

TEST_F(Handshake, ShowsTheCertificateOfTheNameThatIsAskedFor) {
  write("wild", makePair("DNS:*.shop.example,DNS:shop.example"));
  start({"first", "second", "wild"});
  const auto shown = [&](const std::string& sni) {
    Client client(address, {.sni = sni});
    return client.connect() ? client.certificateName() : "";
  };
  EXPECT_EQ(shown("first.example"), "first.example");
  EXPECT_EQ(shown("second.example"), "second.example");
  EXPECT_EQ(shown("SECOND.example"), "second.example");
  EXPECT_EQ(shown("orders.shop.example"), "*.shop.example");
  EXPECT_EQ(shown("shop.example"), "*.shop.example");
  EXPECT_EQ(shown("a.b.shop.example"), "first.example") << "a wildcard is one label";
  EXPECT_EQ(shown("unknown.example"), "first.example");
  EXPECT_EQ(shown(""), "first.example");
}

TEST_F(Handshake, ResumesSessions) {
  start({"first", "second"});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client first(address, {.sni = "second.example", .version = version});
    ASSERT_TRUE(first.connect());
    get(first);
    ASSERT_NE(first.session(), nullptr);
    Client again(address, {.sni = "second.example", .version = version, .session = first.session()});
    ASSERT_TRUE(again.connect());
    EXPECT_TRUE(SSL_session_reused(again.ssl));
    EXPECT_TRUE(get(again).starts_with("HTTP/1.1 200 OK"));
  }
  EXPECT_EQ(count(TlsOutcome::resumed), 2u);
}

TEST_F(Handshake, IsNotRepeatedOnAConnection) {
  start();
  Client client(address, {.version = TLS1_2_VERSION});
  ASSERT_TRUE(client.connect());
  SSL_renegotiate(client.ssl);
  EXPECT_NE(SSL_do_handshake(client.ssl), 1);
  EXPECT_EQ(count(TlsOutcome::full), 1u);
}

/// A client whose bytes go out as a test likes.
class Piecewise {
 public:
  Piecewise(const net::Address& address, const ClientOptions& options) : client(address, options) {
    SSL_set_bio(client.ssl, in_, out_);
    SSL_set_connect_state(client.ssl);
    const int one = 1;
    setsockopt(client.socket().fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  void flush(std::size_t size) {
    std::string part(size, '\0');
    for (int got = 0; (got = BIO_read(out_, part.data(), static_cast<int>(size))) > 0;)
      client.socket().send(std::string_view(part).substr(0, static_cast<std::size_t>(got)));
  }
  bool fill() {
    char buffer[4096];
    const ssize_t got = recv(client.socket().fd(), buffer, sizeof buffer, 0);
    if (got > 0) BIO_write(in_, buffer, static_cast<int>(got));
    return got > 0;
  }
  /// What the client sends last is not flushed.
  bool connect(std::size_t size) {
    while (SSL_do_handshake(client.ssl) != 1) {
      flush(size);
      if (!fill()) return false;
    }
    return true;
  }
  std::string readUntil(std::string_view ends) {
    std::string got;
    char buffer[4096];
    while (!got.ends_with(ends)) {
      const int n = SSL_read(client.ssl, buffer, sizeof buffer);
      if (n > 0)
        got.append(buffer, static_cast<std::size_t>(n));
      else if (!fill())
        break;
    }
    return got;
  }
  Client client;

 private:
  BIO *in_ = BIO_new(BIO_s_mem()), *out_ = BIO_new(BIO_s_mem());
};

constexpr std::size_t kAll = 100'000;

TEST_F(Handshake, TakesBytesOneByOne) {
  start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Piecewise slow(address, {.version = version});
    ASSERT_TRUE(slow.connect(1));
    ASSERT_TRUE(slow.client.send("GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    slow.flush(1);
    EXPECT_TRUE(slow.readUntil("GET /slow ").starts_with("HTTP/1.1 200 OK"));
  }
}

TEST_F(Handshake, ServesARequestThatComesWithItsLastBytes) {
  start();
  Piecewise one(address, {});
  ASSERT_TRUE(one.connect(kAll));
  ASSERT_TRUE(one.client.send("GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"));
  one.flush(kAll);  // with the end of the handshake
  EXPECT_TRUE(one.readUntil("GET /a ").starts_with("HTTP/1.1 200 OK"));

  Piecewise two(address, {.alpn = "\x02h2"});
  ASSERT_TRUE(two.connect(kAll));
  // SETTINGS, and GET / by indices of the static table.
  const std::string_view request(
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
      "\0\0\0\4\0\0\0\0\0"
      "\0\0\6\1\5\0\0\0\1\x82\x87\x84\x41\1a",
      24 + 9 + 9 + 6);
  ASSERT_TRUE(two.client.send(request));
  two.flush(kAll);
  EXPECT_TRUE(two.readUntil("GET / ").ends_with("GET / "));
}

TEST_F(Handshake, EndsClientsThatSayNothingInTime) {
  options.handshakeTimeout = milliseconds(30);
  start();
  net::test::RawClient silent(address);
  EXPECT_TRUE(silent.atEof());
  EXPECT_EQ(count(TlsOutcome::timeout), 1u);
}

TEST_F(Handshake, OfTooManyAtOnceTheOldestGivesWay) {
  options.handshakes = 3;
  start();
  std::vector<std::unique_ptr<net::test::RawClient>> silent;
  for (int i = 0; i < 5; ++i) {
    silent.push_back(std::make_unique<net::test::RawClient>(address));
    ASSERT_TRUE(eventually([&] { return count(TlsOutcome::crowded) + connections() == static_cast<std::size_t>(i + 1); }));
  }
  EXPECT_EQ(count(TlsOutcome::crowded), 2u);
  EXPECT_TRUE(silent[0]->atEof());
  EXPECT_TRUE(silent[1]->atEof());
  Client client(address);
  ASSERT_TRUE(client.connect()) << "one who speaks is not held up";
  EXPECT_TRUE(silent[2]->atEof());
  EXPECT_TRUE(get(client).starts_with("HTTP/1.1 200 OK"));
}

TEST_F(Handshake, CountsClientsThatLeave) {
  start();
  {
    net::test::RawClient gone(address);
  }
  EXPECT_TRUE(eventually([&] { return count(TlsOutcome::gone) == 1; }));
  net::test::RawClient plain(address);
  plain.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  plain.readAll();
  EXPECT_EQ(count(TlsOutcome::notTls), 1u);
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

/// The first bytes of a client, as they would be sent.
std::string clientHello(int version) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, version);
  SSL* ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  char* data = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
  std::string hello(data, static_cast<std::size_t>(size));
  SSL_free(ssl);
  SSL_CTX_free(context);
  ERR_clear_error();
  return hello;
}

TEST_F(Handshake, SurvivesGarbage) {
  options.handshakeTimeout = seconds(5);
  start();
  std::minstd_rand random(1);
  const std::string hellos[] = {clientHello(TLS1_2_VERSION), clientHello(TLS1_3_VERSION)};
  constexpr int kClients = 600;
  for (int i = 0; i < kClients; ++i) {
    std::string data;
    if (i % 3 == 0) {
      data.resize(random() % 600 + 1);
      for (char& c : data) c = static_cast<char>(random());
    } else {
      data = hellos[i % 2];
      for (unsigned changes = random() % 4 + 1; changes > 0; --changes) data[random() % data.size()] = static_cast<char>(random());
      if (i % 5 == 0) data.resize(random() % data.size());
      if (i % 7 == 0) data += data;
    }
    net::test::RawClient client(address);
    client.send(data);
    if (i % 2) client.shutdownWrite();
  }
  ASSERT_TRUE(eventually([&] { return connections() == 0; }));
  std::uint64_t ended = 0;
  for (const std::uint64_t n : store->outcomes()) ended += n;
  EXPECT_EQ(ended, static_cast<std::uint64_t>(kClients)) << "each is counted once";
  EXPECT_EQ(count(TlsOutcome::full), 0u);
  Client client(address);
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(get(client).starts_with("HTTP/1.1 200 OK"));
}

}  // namespace
}  // namespace pilotlight::tls::test
