// Replicas that misbehave in every way a socket allows: the client sees what docs/faults.md says, another function's requests
// are served all the while, and nothing is left behind.
#include "faults_fixture.h"

namespace pilotlight::gateway::test {
namespace {

constexpr std::string_view kWhole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
constexpr std::string_view kHeadOf100 = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
constexpr std::string_view kHeadOfChunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

enum class Sends { get, largeBody, upgrade };

struct Fault {
  const char* name;
  RawReplica::Script replica;
  std::set<int> statuses;  ///< which of them the client may see
  bool cut = false;        ///< the answer must be seen to be incomplete
  Sends sends = Sends::get;
  std::string answer{};  ///< its body, when it matters
  /// Of the function: short, for what ends with it; for what must end before it, longer than a busy machine takes for that.
  milliseconds timeout{250};

  bool ours() const { return !cut && !statuses.contains(200); }
};

/// What `play` does once it has the request.
RawReplica::Script onRequest(std::function<void(RawPeer&)> play) {
  return [play = std::move(play)](RawPeer& peer) {
    if (peer.readRequest()) play(peer);
  };
}
/// Says it to the request and closes.
RawReplica::Script says(std::string_view text) {
  return onRequest([text](RawPeer& peer) { peer.say(text); });
}
/// Says it to the request's head, whatever follows, and then does `next`.
RawReplica::Script saysEarly(std::string_view text, std::function<void(RawPeer&)> next) {
  return [text, next = std::move(next)](RawPeer& peer) {
    if (!peer.readHead()) return;
    peer.say(text);
    next(peer);
  };
}
/// Says it and stays silent from then on.
RawReplica::Script saysAndStalls(std::string_view text) {
  return onRequest([text](RawPeer& peer) {
    peer.say(text);
    peer.readOn();
  });
}

constexpr std::string_view kUpgraded = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

std::vector<Fault> faults() {
  const std::string tooLarge = "HTTP/1.1 200 OK\r\nX-Large: " + std::string(20'000, 'x') + "\r\n\r\n";
  std::string tooMany = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 200; ++i) tooMany += "X-" + std::to_string(i) + ": 1\r\n";
  tooMany += "\r\n";
  std::string hints;  // more than a buffer, each of them small
  for (int i = 0; i < 40; ++i) hints += "HTTP/1.1 103 Early Hints\r\nLink: <" + std::string(600, 'x') + ">\r\n\r\n";
  static const std::string kTooLarge = tooLarge, kTooMany = tooMany, kHints = hints + std::string(kWhole);
  return {
      // Nothing was sent: held for a replica that works, until queue.wait. Sent already: 502.
      {"ResetsOnAccept", [](RawPeer& peer) { peer.reset(); }, {502, 503}},
      {"ResetsAfterTheRequest", onRequest([](RawPeer& peer) { peer.reset(); }), {502}},
      {"ClosesAfterTheRequest", says(""), {502}},
      {"ResetsInMidHead",
       onRequest([](RawPeer& peer) {
         peer.say("HTTP/1.1 200 OK\r\nContent-");
         peer.reset();
       }),
       {502}},
      {"ClosesInMidHead", says("HTTP/1.1 200 OK\r\nContent-"), {502}},
      {"ResetsInMidBody",
       onRequest([](RawPeer& peer) {
         peer.say(kHeadOf100);
         peer.leftWithin(milliseconds(50));  // the head is on its way
         peer.reset();
       }),
       {200},
       true},
      {"ClosesInMidBody", says(kHeadOf100), {200}, true},
      {"ClosesInMidChunk", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this"), {200}, true},
      {"ClosesBetweenChunks", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n"), {200}, true},
      {"ClosesBeforeTheLastChunksEnd", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n"), {200}, true},
      {"ResetsAnAnswerThatEndsWithTheConnection",
       onRequest([](RawPeer& peer) {
         peer.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonly this");
         peer.leftWithin(milliseconds(50));
         peer.reset();
       }),
       {200},
       true},
      {"HalfClosesBeforeAnswering",
       onRequest([](RawPeer& peer) {
         peer.end();
         peer.readOn();
       }),
       {502}},
      {"HalfClosesAfterAnswering",
       onRequest([](RawPeer& peer) {
         peer.say(kWhole);
         peer.end();
         peer.readOn();
       }),
       {200},
       false,
       Sends::get,
       "fine"},
      {"AnswersGarbage", says("SSH-2.0-whatever\r\n\r\n"), {502}},
      {"AnswersBytes", says(std::string_view("\x16\x03\x01\0\xa5\r\n\r\n", 9)), {502}},
      {"AnswersWithoutAHead", says("fine\n"), {502}},
      {"AnswersWithTwoLengths", says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfine!"), {502}},
      {"AnswersWithLengthAndChunks", says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), {502}},
      {"NeverEndsItsHead",
       onRequest([](RawPeer& peer) {
         peer.say("HTTP/1.1 200 OK\r\n");
         peer.repeat("X: y\r\n", milliseconds(20));
       }),
       {504}},
      {"SendsTooLargeAHead", saysAndStalls(kTooLarge), {502}},
      {"SendsTooManyFields", saysAndStalls(kTooMany), {502}},
      {"StallsInMidBody", saysAndStalls(kHeadOf100), {200}, true},
      {"StallsInMidChunks", saysAndStalls("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n"), {200}, true},
      {"DribblesItsBodyForever",
       onRequest([](RawPeer& peer) {
         peer.say(kHeadOfChunks);
         peer.repeat("1\r\nx\r\n", milliseconds(20));
       }),
       {200},
       true},
      {"NeverAnswers", saysAndStalls(""), {504}},
      {"NeverReads", [](RawPeer& peer) { peer.idle(); }, {504}},
      {"NeverReadsALargeBody", [](RawPeer& peer) { peer.idle(); }, {504}, false, Sends::largeBody},
      {"NeverAccepts", nullptr, {504}},
      {"AnswersBeforeTheBodyAndCloses", saysEarly(kWhole, [](RawPeer&) {}), {200}, false, Sends::largeBody, "fine"},
      {"AnswersBeforeTheBodyAndResets",
       saysEarly(kWhole,
                 [](RawPeer& peer) {
                   peer.leftWithin(milliseconds(50));
                   peer.reset();
                 }),
       {200},
       false,
       Sends::largeBody,
       "fine"},
      {"AnswersBeforeTheBodyAndReadsOn", saysEarly(kWhole, [](RawPeer& peer) { peer.readOn(); }), {200}, false, Sends::largeBody, "fine"},
      {"AnswersBeforeTheBodyAndNeverReadsIt",
       saysEarly(kWhole, [](RawPeer& peer) { peer.idle(); }),
       {200},
       false,
       Sends::largeBody,
       "fine"},
      {"FloodsWithInterimAnswers",
       onRequest([](RawPeer& peer) { peer.repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"); }),
       {502}},
      {"SendsManyHintsBeforeItsAnswer", says(kHints), {200}, false, Sends::get, "fine"},
      {"FloodsWithInterimAnswersOneByOne",
       onRequest([](RawPeer& peer) { peer.repeat("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", milliseconds(1)); }),
       {502},
       false,
       Sends::get,
       {},
       seconds(30)},
      {"FloodsWithContinues", onRequest([](RawPeer& peer) { peer.repeat("HTTP/1.1 100 Continue\r\n\r\n"); }), {502}},
      {"SwitchesUnasked", says(kUpgraded), {502}},
      {"SendsMalformedTrailers",
       saysAndStalls("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\nbad trailer\r\n\r\n"),
       {200},
       true},
      {"SendsAMalformedChunk", saysAndStalls("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\nxyz\r\n"), {200}, true},
      {"RefusesToUpgradeAndCloses",
       says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine"),
       {200},
       false,
       Sends::upgrade,
       "fine"},
      {"SwitchesToAnotherProtocolThanAsked",
       saysAndStalls("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"),
       {502},
       false,
       Sends::upgrade},
      {"SwitchesWithoutSayingToWhat",
       saysAndStalls("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n"),
       {502},
       false,
       Sends::upgrade},
  };
}

enum class Upstream { fresh, pooled };  // is the connection to the replica a new one, or has it answered before?

struct Row {
  Fault fault;
  int minor = 1;  ///< the client speaks HTTP/1.minor
  Upstream upstream = Upstream::fresh;
};

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const Fault& fault : faults()) {
    all.push_back({fault, 1});
    if (fault.sends != Sends::upgrade) all.push_back({fault, 0});  // HTTP/1.0 has no upgrade
    if (fault.replica && !fault.statuses.contains(503)) all.push_back({fault, 1, Upstream::pooled});
  }
  return all;
}

std::string nameOf(const Row& row) {
  return std::string(row.fault.name) + (row.minor == 0 ? "_Http10" : row.upstream == Upstream::pooled ? "_Pooled" : "");
}

std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << nameOf(row);
}

/// A first request on each connection is answered as it should be.
RawReplica::Script afterOneAnswer(RawReplica::Script script) {
  return [script = std::move(script)](RawPeer& peer) {
    if (!peer.readRequest()) return;
    peer.seen.clear();
    peer.say(kWhole);
    script(peer);
  };
}

class ReplicaFaultTest : public FaultsTest, public testing::WithParamInterface<Row> {
 protected:
  static std::string request(const Row& row) {
    const std::string version = " HTTP/1." + std::to_string(row.minor) + "\r\nHost: a\r\n";
    switch (row.fault.sends) {
      case Sends::get:
        return "GET /f" + version + "\r\n";
      case Sends::largeBody:  // it never ends: an answer that comes is an early one
        return "POST /f" + version + "Content-Length: 50000000\r\n\r\n" + std::string(200'000, 'x');
      case Sends::upgrade:
        return "GET /f" + version + "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    }
    return {};
  }

  /// After an answer of ours the client's connection is as good as before.
  void expectUsable(RawClient& client) {
    client.send("GET /g/next HTTP/1.1\r\nHost: a\r\n\r\n");
    const Seen next = readAnswer(client.fd());
    EXPECT_EQ(next.status(), 200);
    EXPECT_EQ(next.response.body, "GET /next ");
  }
};

TEST_P(ReplicaFaultTest, IsSeenByItsClientAloneAndLeavesNothing) {
  const auto& [fault, minor, upstream] = GetParam();
  ASSERT_NO_FATAL_FAILURE(startBoth(fault.timeout));
  {
    RawReplica replica(upstream == Upstream::pooled ? afterOneAnswer(fault.replica) : fault.replica);
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    if (upstream == Upstream::pooled) {
      client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
      ASSERT_EQ(readAnswer(client.fd()).response.body, "fine");
    }
    client.send(request(GetParam()));
    expectBystanderServed();
    const Seen seen = readAnswer(client.fd());
    EXPECT_TRUE(fault.statuses.contains(seen.status())) << seen.status() << "\n" << seen.response.head << seen.response.body;
    EXPECT_EQ(seen.cut(), fault.cut) << seen.response.head << seen.response.body;
    EXPECT_NE(seen.end, Seen::End::nothing);
    if (!fault.answer.empty()) EXPECT_EQ(seen.response.body, fault.answer);
    if (fault.ours()) {
      EXPECT_EQ(Json::parse(seen.response.body)["function"], "default/f") << seen.response.body;
      if (minor == 1 && fault.sends == Sends::get) expectUsable(client);
    }
    expectBystanderServed();
  }
  expectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(All, ReplicaFaultTest, testing::ValuesIn(rows()), [](const auto& info) { return nameOf(info.param); });

// --- no replica to reach ---

TEST_F(FaultsTest, ARefusedConnectionIsTriedAgainUntilTheQueuesWaitIsOver) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    const net::test::DeadPort dead;
    ASSERT_NO_FATAL_FAILURE(faultyReplica(dead.address));
    RawClient client(gateway_->address());
    client.send("POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    expectBystanderServed();
    const Seen seen = readAnswer(client.fd());
    EXPECT_EQ(seen.status(), 503);
    EXPECT_EQ(Json::parse(seen.response.body)["limit"], "queue.wait");
    EXPECT_EQ(seen.response.header("Retry-After"), "1");
    EXPECT_EQ(seen.response.header("Connection"), "") << "the client keeps its connection";
  }
  expectNothingLeft();
}

TEST_F(FaultsTest, AnAddressThatDoesNotAnswerIsGivenUpAtTheConnectTimeout) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawReplica silent(nullptr, 0);  // its backlog holds one connection
    RawClient filler(silent.address);
    ASSERT_NO_FATAL_FAILURE(faultyReplica(silent.address));
    RawClient client(gateway_->address());
    client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    expectBystanderServed();
    const Seen seen = readAnswer(client.fd());
    EXPECT_EQ(seen.status(), 503);
    EXPECT_EQ(Json::parse(seen.response.body)["limit"], "queue.wait");
  }
  expectNothingLeft();
}

// --- bytes that nobody asked for ---

/// Each request on a connection gets the number of that connection and of the request on it.
std::string numbered(int connection, int request) {
  const std::string body = std::to_string(connection) + "/" + std::to_string(request);
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(FaultsTest, ASecondAnswerToOneRequestIsNeverTakenForTheNextOne) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    std::atomic<int> connections = 0;
    RawReplica replica([&](RawPeer& peer) {
      const int connection = ++connections;
      if (!peer.readRequest()) return;
      peer.say(numbered(connection, 1) + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nextra");
      peer.readOn();
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    for (int i = 1; i <= 20; ++i) {
      client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(readAnswer(client.fd()).response.body, std::to_string(i) + "/1");
    }
    expectBystanderServed();
  }
  expectNothingLeft();
}

TEST_F(FaultsTest, AnAnswerOnAnIdleConnectionIsThrownAwayWithIt) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    std::atomic<int> connections = 0, given = 0;
    RawReplica replica([&](RawPeer& peer) {
      const int connection = ++connections;
      if (!peer.readRequest()) return;
      peer.say(numbered(connection, 1));
      peer.leftWithin(milliseconds(20));  // idle by now
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nextra");
      if (peer.leftWithin(seconds(10))) ++given;
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    for (int i = 1; i <= 3; ++i) {
      client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(readAnswer(client.fd()).response.body, std::to_string(i) + "/1");
      EXPECT_TRUE(eventually([&] { return given == i; })) << "the connection is closed";
    }
  }
  expectNothingLeft();
}

TEST_F(FaultsTest, ABodyWhereNoneMayBeDoesNotReachTheNextRequest) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawReplica replica([&](RawPeer& peer) {
      if (!peer.readRequest()) return;
      peer.say(peer.seen.starts_with("HEAD") ? kWhole : "HTTP/1.1 204 No Content\r\nContent-Length: 46\r\n\r\n" + std::string(kWhole));
      peer.readOn();
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    for (int i = 0; i < 5; ++i) {
      client.send("HEAD /f HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_TRUE(client.readUntil("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
      client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
      const std::string none = client.readUntil("\r\n\r\n");
      EXPECT_TRUE(none.starts_with("HTTP/1.1 204 No Content\r\n") || none.starts_with("HTTP/1.1 502 ")) << none;
      if (none.starts_with("HTTP/1.1 502 ")) EXPECT_TRUE(client.readUntil("}\n").ends_with("}\n"));
    }
  }
  expectNothingLeft();
}

// --- tunnels ---

constexpr std::string_view kAskToUpgrade = "GET /f HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

TEST_F(FaultsTest, ATunnelThatTheReplicaResetsIsResetForItsClient) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawReplica replica(onRequest([](RawPeer& peer) {
      peer.say(std::string(kUpgraded) + "hello");
      peer.leftWithin(milliseconds(50));
      peer.reset();
    }));
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send(kAskToUpgrade);
    EXPECT_TRUE(client.readUntil("hello").starts_with("HTTP/1.1 101 "));
    expectBystanderServed();
    char byte;
    EXPECT_EQ(recv(client.fd(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
  }
  expectNothingLeft();
}

TEST_F(FaultsTest, ATunnelThatTheReplicaClosesEndsWhenItsClientClosesToo) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    std::string last;
    RawReplica replica(onRequest([&](RawPeer& peer) {
      peer.say(std::string(kUpgraded) + "bye");
      peer.end();
      peer.seen.clear();
      while (peer.seen != "me too" && peer.readHead()) {
      }
      last = peer.seen;
    }));
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send(kAskToUpgrade);
    EXPECT_TRUE(client.readAll().ends_with("\r\n\r\nbye"));
    client.send("me too");
    client.shutdownWrite();
    EXPECT_TRUE(idle());
  }
  expectNothingLeft();
}

TEST_F(FaultsTest, ATunnelWhoseClientResetsIsClosedForItsReplica) {
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    std::atomic<bool> ended = false;
    RawReplica replica(onRequest([&](RawPeer& peer) {
      peer.say(kUpgraded);
      peer.readOn();
      ended = true;
    }));
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send(kAskToUpgrade);
    EXPECT_TRUE(client.readUntil("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    const linger hard{1, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client.close();
    EXPECT_TRUE(eventually([&] { return ended.load(); }));
  }
  expectNothingLeft();
}

}  // namespace
}  // namespace pilotlight::gateway::test
