// Certificates that change while they are used.
#include <atomic>

#include "fixture.h"

namespace pilotlight::tls::test {
namespace {

class Certificates : public TlsTest {
 protected:
  std::string shown(const std::string& sni = "") {
    Client client(address, {.sni = sni});
    return client.connect() ? client.certificateName() : "no handshake";
  }
};

TEST_F(Certificates, ANewPairIsShownToNewConnectionsWhileOldOnesLiveOn) {
  write("first", makePair("DNS:old.example", 30));
  start({"first", "second"});
  Client before(address);
  ASSERT_TRUE(before.connect());
  const auto expires = store->states()[0].expires;
  write("first", makePair("DNS:new.example", 60));
  EXPECT_TRUE(eventually([&] { return shown() == "new.example"; }));
  EXPECT_EQ(before.certificateName(), "old.example");
  EXPECT_TRUE(get(before).starts_with("HTTP/1.1 200 OK"));
  EXPECT_EQ(shown("second.example"), "second.example");
  EXPECT_EQ(store->states()[0].expires - expires, std::chrono::days(30));
  EXPECT_EQ(logged(), std::vector<std::string>{"first: "});
}

TEST_F(Certificates, WhatCannotBeUsedIsToldOnceAndTheLastGoodOneStays) {
  const Pair good = makePair("DNS:good.example"), other = makePair("DNS:other.example");
  write("first", good);
  start();
  const auto refused = [&] { return store->states()[0].refused; };
  write("first", {other.certificate, good.key});
  ASSERT_TRUE(eventually(refused));
  EXPECT_EQ(shown(), "good.example");
  ASSERT_EQ(logged().size(), 1u);
  EXPECT_EQ(logged()[0].find("first: the key does not belong to the certificate"), 0u) << logged()[0];
  write("first", {"-----BEGIN", good.key});
  ASSERT_TRUE(eventually([&] { return logged().size() == 2; }));
  EXPECT_EQ(logged()[1].find("first: the certificate is not PEM"), 0u) << logged()[1];
  std::filesystem::remove(files.path() / "first" / "..data" / "tls.key");
  ASSERT_TRUE(eventually([&] { return logged().size() == 3; }));
  EXPECT_NE(logged()[2].find("tls.key can't be read: No such file"), std::string::npos) << logged()[2];
  EXPECT_EQ(shown(), "good.example");
  EXPECT_TRUE(refused());
  write("first", good);
  EXPECT_TRUE(eventually([&] { return !refused(); })) << "as before: nothing to take";
  write("first", other);
  EXPECT_TRUE(eventually([&] { return shown() == "other.example"; }));
  EXPECT_EQ(logged().size(), 4u);
}

TEST_F(Certificates, MayBeWrittenInPlaceOneFileAfterTheOther) {
  const auto folder = files.path() / "plain";
  const auto put = [&](const Pair& pair) {
    pilotlight::test::writeFile(folder / "tls.crt", pair.certificate);
    pilotlight::test::writeFile(folder / "tls.key", pair.key);
  };
  put(makePair("DNS:one.example"));
  start({"plain"});
  EXPECT_EQ(shown(), "one.example");
  put(makePair("DNS:two.example"));
  EXPECT_TRUE(eventually([&] { return shown() == "two.example"; }));
}

TEST_F(Certificates, ChangeUnderLoadWithoutAFailedRequest) {
  start();
  std::atomic<bool> ending{false};
  std::atomic<int> served{0}, failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i)
    clients.emplace_back([&, i] {
      Client kept(address);
      if (!kept.connect()) ++failed;
      while (!ending) {
        Client fresh(address, {.version = i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION});
        const bool good = fresh.connect() && get(fresh).starts_with("HTTP/1.1 200 OK") && get(kept).starts_with("HTTP/1.1 200 OK");
        ++(good ? served : failed);
      }
    });
  for (int i = 0; i < 20; ++i) {
    const int before = served;
    write("first", makePair("DNS:n" + std::to_string(i) + ".example"));
    ASSERT_TRUE(eventually([&] { return shown() == "n" + std::to_string(i) + ".example"; }));
    ASSERT_TRUE(eventually([&] { return served > before + 3; }));
  }
  ending = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(logged().size(), 20u);
}

TEST_F(Certificates, SessionsAreResumedAcrossAChangeButNotWithOldKeys) {
  write("first", makePair("DNS:old.example"));
  start();
  Client first(address);
  ASSERT_TRUE(first.connect());
  get(first);
  write("first", makePair("DNS:new.example"));
  ASSERT_TRUE(eventually([&] { return shown() == "new.example"; }));
  Client again(address, {.session = first.session()});
  ASSERT_TRUE(again.connect());
  EXPECT_TRUE(SSL_session_reused(again.ssl));

  StoreOptions short_{.certificates = {certificateFolder((files.path() / "first").string())},
                      .lookEvery = milliseconds(5),
                      .ticketKeyTime = seconds(0),
                      .log = {}};
  Store renewing(std::move(short_));
  ASSERT_TRUE(renewing.start());
  thread.sync([&] {
    server = std::make_unique<net::Server>(thread.loop, app, options);
    auto fd = net::listenTcp({"127.0.0.1", 0});
    address = net::localAddress(fd->get());
    server->listen(std::move(*fd), &renewing);
  });
  Client old(address);
  ASSERT_TRUE(old.connect());
  get(old);
  EXPECT_TRUE(eventually([&] {
    Client late(address, {.session = old.session()});
    return late.connect() && !SSL_session_reused(late.ssl);
  }));
  thread.sync([&] { server.reset(); });
}

TEST_F(Certificates, AStartWithAPairThatCannotBeUsedNamesIt) {
  const Pair good = makePair("DNS:good.example");
  write("good", good);
  write("bad", {good.certificate, makePair("DNS:x.example").key});
  for (const auto& [name, why] :
       {std::pair("bad", "the key does not belong"), std::pair("absent", "tls.crt can't be read: No such file")}) {
    Store wrong(
        {.certificates = {certificateFolder((files.path() / "good").string()), certificateFolder((files.path() / name).string() + "/")},
         .log = {}});
    const auto started = wrong.start();
    ASSERT_FALSE(started) << name;
    EXPECT_NE(started.error().find(std::string("certificate '") + name + "'"), std::string::npos) << started.error();
    EXPECT_NE(started.error().find(why), std::string::npos) << started.error();
    EXPECT_EQ(started.error().find("PRIVATE"), std::string::npos);
  }
}

}  // namespace
}  // namespace pilotlight::tls::test
