// Clients that are slow, leave, or never read: what they hold is bounded in time, and nothing of it stays.
#include "faults_fixture.h"

namespace pilotlight::gateway::test {
namespace {

class ClientFaultTest : public FaultsTest {
 protected:
  static constexpr seconds kLong{30};

  /// Sends `text` a byte at a time until it is sent or the other side has closed.
  static void dribble(RawClient& client, std::string_view text, milliseconds pause) {
    for (const char& byte : text) {
      if (::send(client.fd(), &byte, 1, MSG_NOSIGNAL) <= 0) return;
      pollfd waiter{client.fd(), POLLIN | POLLRDHUP, 0};
      if (poll(&waiter, 1, static_cast<int>(pause.count())) > 0) return;
    }
  }
};

TEST_F(ClientFaultTest, HeadsThatComeTooSlowlyGet408) {
  options_.server.headTimeout = milliseconds(200);
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    std::vector<std::thread> slow;
    for (int i = 0; i < 8; ++i) {
      auto client = std::make_shared<RawClient>(gateway_->address());
      if (i % 2 == 1) {  // the second request of a connection is no different
        client->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(readAnswer(client->fd()).status(), 200);
      }
      slow.emplace_back([client] {
        dribble(*client, "GET /g HTTP/1.1\r\nHost: a\r\nX-Slow: " + std::string(10'000, 'x'), milliseconds(10));
        const Seen seen = readAnswer(client->fd());
        EXPECT_EQ(seen.status(), 408);
        EXPECT_EQ(seen.response.header("Connection"), "close");
      });
    }
    expectBystanderServed();
    for (auto& client : slow) client.join();
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, ConnectionsThatSayNothingAreClosed) {
  options_.server.headTimeout = milliseconds(100);
  options_.server.idleTimeout = milliseconds(100);
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawClient silent(gateway_->address()), idleAfter(gateway_->address());
    idleAfter.send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(idleAfter.fd()).status(), 200);
    EXPECT_TRUE(silent.atEof());
    EXPECT_TRUE(idleAfter.atEof());
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, ConnectionsBeyondTheLimitAreClosedAndThoseWithinItServed) {
  options_.server.maxConnections = 10;
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    std::vector<std::unique_ptr<RawClient>> within;
    for (int i = 0; i < 10; ++i) {
      within.push_back(std::make_unique<RawClient>(gateway_->address()));
      within.back()->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(readAnswer(within.back()->fd()).status(), 200);
    }
    EXPECT_TRUE(RawClient(gateway_->address()).atEof());
    within[3]->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(within[3]->fd()).status(), 200);
    within[0].reset();
    EXPECT_TRUE(eventually([&] {
      RawClient next(gateway_->address());
      next.send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
      return readAnswer(next.fd()).status() == 200;
    }));
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, AClientThatNeverReadsItsAnswerIsCutAndItsSlotFreed) {
  options_.server.sendTimeout = milliseconds(200);
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong));
  {
    std::atomic<bool> cut = false;
    RawReplica replica([&](RawPeer& peer) {
      if (!peer.readRequest()) return;
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
      peer.repeat(std::string(65536, 'x'));
      cut = true;
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return load().inFlight == 1; }));
    expectBystanderServed();
    EXPECT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return cut.load(); }));
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, ABodyThatComesByteByByteArrivesWhole) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    const std::string body(300, 'b');
    RawClient client(gateway_->address());
    client.send("POST /g HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n");
    dribble(client, body, milliseconds(1));
    EXPECT_EQ(readAnswer(client.fd()).response.body, "POST / " + body);
    std::string chunks;
    for (char c : std::string(100, 'c')) chunks += std::string("1\r\n") + c + "\r\n";
    client.send("POST /g HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    dribble(client, chunks + "0\r\n\r\n", milliseconds(0));
    EXPECT_EQ(readAnswer(client.fd()).response.body, "POST / " + std::string(100, 'c'));
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, ABodyThatNeverEndsHoldsItsSlotUntilTheTimeout) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawReplica replica([](RawPeer& peer) { peer.readRequest(); });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send("POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    dribble(client, std::string(100'000, 'x'), milliseconds(20));
    EXPECT_EQ(readAnswer(client.fd()).status(), 504);
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, WhatIsPipelinedBehindARequestThatFailsIsAnswered) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawReplica replica([](RawPeer& peer) { peer.readRequest(); });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\nGET /g/behind HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answers = client.readUntil("GET /behind ");
    EXPECT_TRUE(answers.starts_with("HTTP/1.1 502 ")) << answers;
    EXPECT_NE(answers.find("}\nHTTP/1.1 200 OK\r\n"), std::string::npos) << answers;
  }
  expectNothingLeft();
}

// --- clients that leave ---

/// How far the request has come when its client leaves.
struct Leaving {
  const char* name;
  std::string_view sent;
  int held = 0, inFlight = 0;  ///< what the gateway counts then
  bool answering = false;      ///< the replica has begun to answer
};

constexpr std::string_view kGet = "GET /f HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kPartOfBody = "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nthe first";
constexpr std::string_view kPartOfChunk = "POST /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nthe first";
constexpr std::string_view kTwo = "GET /f HTTP/1.1\r\nHost: a\r\n\r\nGET /f HTTP/1.1\r\nHost: a\r\n\r\n";

class LeavingTest : public ClientFaultTest, public testing::WithParamInterface<std::tuple<Leaving, bool>> {
 protected:
  static void leave(RawClient& client, bool reset) {
    const linger hard{1, 0};
    if (reset) setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client.close();
  }
};

TEST_P(LeavingTest, FreesWhatItHeld) {
  const auto& [leaving, reset] = GetParam();
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong, kLong));
  {
    RawReplica replica([&, answering = leaving.answering](RawPeer& peer) {
      if (!peer.readHead()) return;
      if (answering) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun");
      peer.readOn();
    });
    if (leaving.held == 0) ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send(leaving.sent);
    ASSERT_TRUE(eventually([&] { return load().inFlight == leaving.inFlight && load().queued == leaving.held; }));
    if (leaving.answering) EXPECT_TRUE(client.readUntil("begun").ends_with("begun"));
    leave(client, reset);
    EXPECT_TRUE(idle());
    expectBystanderServed();
  }
  expectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(
    All, LeavingTest,
    testing::Combine(testing::Values(Leaving{"BeforeARequest", ""}, Leaving{"InMidHead", "GET /f HTTP/1.1\r\nHo"},
                                     Leaving{"WhileHeld", kGet, 1, 0}, Leaving{"WhileHeldInMidBody", kPartOfBody, 1, 0},
                                     Leaving{"WhileHeldWithAnotherBehind", kTwo, 1, 0}, Leaving{"BeforeTheAnswer", kGet, 0, 1},
                                     Leaving{"InMidBody", kPartOfBody, 0, 1}, Leaving{"InMidChunk", kPartOfChunk, 0, 1},
                                     Leaving{"WithAnotherBehind", kTwo, 0, 1}, Leaving{"InMidAnswer", kGet, 0, 1, true},
                                     Leaving{"InMidBodyAndMidAnswer", kPartOfBody, 0, 1, true}),
                     testing::Bool()),
    [](const auto& info) { return std::string(std::get<0>(info.param).name) + (std::get<1>(info.param) ? "_Reset" : "_Closed"); });

TEST_F(ClientFaultTest, AClientThatClosesItsDirectionIsTakenForOneThatLeft) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong, kLong));
  {
    std::atomic<bool> told = false;
    RawReplica replica([&](RawPeer& peer) {
      if (peer.readRequest()) peer.readOn();
      told = true;
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send(kGet);
    ASSERT_TRUE(eventually([&] { return load().inFlight == 1; }));
    client.shutdownWrite();
    EXPECT_EQ(readAnswer(client.fd()).end, Seen::End::closed);
    EXPECT_TRUE(idle());
    EXPECT_TRUE(eventually([&] { return told.load(); })) << "its handler learns of it";
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, RequestsOfClientsThatLeaveAtOnceAreNotHeld) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong, kLong));
  {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 50; ++i) {
      clients.push_back(std::make_unique<RawClient>(gateway_->address()));
      clients.back()->send(i % 2 == 0 ? kGet : kPartOfBody);
      clients.back()->shutdownWrite();
    }
    for (const auto& client : clients) EXPECT_EQ(readAnswer(client->fd()).end, Seen::End::closed);
    EXPECT_TRUE(idle());
    expectBystanderServed();
  }
  expectNothingLeft();
}

TEST_F(ClientFaultTest, AHundredClientsThatComeAndGoLeaveNothing) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong, kLong));
  {
    RawReplica replica([](RawPeer& peer) {
      while (peer.readRequest()) {
        peer.seen.clear();
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    for (int i = 0; i < 100; ++i) {
      RawClient client(gateway_->address());
      client.send(kTwo.substr(0, static_cast<std::size_t>(i) * kTwo.size() / 99));
      if (i % 3 == 0) continue;
      client.readUntil("ok", milliseconds(i % 5));
    }
    expectBystanderServed();
  }
  expectNothingLeft();
}

}  // namespace
}  // namespace pilotlight::gateway::test
