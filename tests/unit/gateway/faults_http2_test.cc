// Replicas that speak HTTP/2 and misbehave: the client sees what docs/faults.md says, and nothing is left behind.
#include <fcntl.h>

#include "../net/http2_frames.h"
#include "faults_fixture.h"

namespace pilotlight::gateway::test {
namespace {

using net::test::bigEndian;
using net::test::FramePeer;

using Play = std::function<void(FramePeer&)>;
const net::test::Fields kOk{{":status", "200"}}, kOkOf100{{":status", "200"}, {"content-length", "100"}};

struct Fault {
  const char* name;
  Play play;               ///< once it has the request, on stream 1; then the connection closes
  std::set<int> statuses;  ///< which of them the client may see
  bool cut = false;        ///< the answer must be seen to be incomplete
  std::string answer{};    ///< its body, when it matters
  bool largeBody = false;  ///< the client sends one that never ends
};

std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.name;
}

/// Reads on until the other side closes.
void stall(FramePeer& peer) {
  while (peer.next(std::chrono::hours(1))) {
  }
}
void goAway(FramePeer& peer, std::uint32_t last) {
  peer.send(NGHTTP2_GOAWAY, 0, 0, bigEndian(last, 4) + bigEndian(NGHTTP2_NO_ERROR, 4));
}
void begin(FramePeer& peer, const net::test::Fields& head) {
  peer.headers(1, head, false);
  peer.data(1, "only this");
}
/// The head and what came of the body are on their way before anything else happens.
void beginAndBeRead(FramePeer& peer, const net::test::Fields& head) {
  begin(peer, head);
  peer.send(NGHTTP2_PING, 0, 0, std::string(8, 'p'));
  while (const auto frame = peer.next())
    if (frame->type == NGHTTP2_PING && (frame->flags & NGHTTP2_FLAG_ACK)) return;
}
Play thenStall(Play play) {
  return [play = std::move(play)](FramePeer& peer) {
    play(peer);
    stall(peer);
  };
}

std::vector<Fault> faults() {
  return {
      {"AnswersWell", thenStall([](FramePeer& peer) { begin(peer, kOk), peer.data(1, "", true); }), {200}, false, "only this"},
      {"ResetsTheStream", thenStall([](FramePeer& peer) { peer.reset(1, NGHTTP2_INTERNAL_ERROR); }), {502}},
      {"RefusesEveryStream", thenStall([](FramePeer& peer) { peer.reset(1, NGHTTP2_REFUSED_STREAM); }), {503}},
      {"GoesAwayBeforeTheRequest", thenStall([](FramePeer& peer) { goAway(peer, 0); }), {503}},
      {"GoesAwayAfterTheRequestAndAnswersIt",
       thenStall([](FramePeer& peer) {
         goAway(peer, 1);
         begin(peer, kOk);
         peer.data(1, "", true);
       }),
       {200},
       false,
       "only this"},
      {"GoesAwayAfterTheRequestAndCloses", [](FramePeer& peer) { goAway(peer, 1); }, {502}},
      {"ClosesAfterTheRequest", [](FramePeer&) {}, {502}},
      {"AnswersInHttp1", [](FramePeer& peer) { peer.sendRaw("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); }, {502}},
      {"AnswersGarbage", thenStall([](FramePeer& peer) { peer.sendRaw(std::string(1000, '\xff')); }), {502}},
      {"AnswersWithoutAStatus", thenStall([](FramePeer& peer) { peer.headers(1, {{"x", "1"}}); }), {502}},
      {"AnswersWithABrokenHeaderBlock",
       thenStall([](FramePeer& peer) { peer.send(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff"); }),
       {502}},
      {"AnswersWithDataAndNoHead", thenStall([](FramePeer& peer) { peer.data(1, "fine", true); }), {502}},
      {"SwitchesProtocols", thenStall([](FramePeer& peer) { peer.headers(1, {{":status", "101"}}, false); }), {502}},
      {"SendsTooManyFields",
       thenStall([](FramePeer& peer) {
         net::test::Fields many = kOk;
         for (int i = 0; i < 200; ++i) many.emplace_back("x-" + std::to_string(i), "1");
         peer.headers(1, many);
       }),
       {502}},
      {"FloodsWithInterimAnswers",
       thenStall([](FramePeer& peer) {
         for (int i = 0; i < 2000; ++i) peer.headers(1, {{":status", "103"}, {"link", "</a.css>"}}, false);
       }),
       {502}},
      {"NeverAnswers", stall, {504}},
      {"NeverAnswersALargeBody", stall, {504}, false, "", true},
      {"StallsInMidBody", thenStall([](FramePeer& peer) { begin(peer, kOkOf100); }), {200}, true},
      {"ResetsInMidBody", thenStall([](FramePeer& peer) { beginAndBeRead(peer, kOkOf100), peer.reset(1); }), {200}, true},
      {"ClosesInMidBody", [](FramePeer& peer) { beginAndBeRead(peer, kOkOf100); }, {200}, true},
      {"ClosesInMidBodyOfUnknownLength", [](FramePeer& peer) { beginAndBeRead(peer, kOk); }, {200}, true},
      {"EndsShortOfItsLength", thenStall([](FramePeer& peer) { beginAndBeRead(peer, kOkOf100), peer.data(1, "", true); }), {200}, true},
      {"SendsMoreThanItsLength",
       thenStall([](FramePeer& peer) { beginAndBeRead(peer, kOkOf100), peer.data(1, std::string(1000, 'x'), true); }),
       {200},
       true},
      {"AnswersBeforeTheBodyAndWantsNoMore",
       thenStall([](FramePeer& peer) {
         begin(peer, kOk);
         peer.data(1, "", true);
         peer.reset(1, NGHTTP2_NO_ERROR);
       }),
       {200},
       false,
       "only this",
       true},
  };
}

class Http2ReplicaFaultTest : public FaultsTest, public testing::WithParamInterface<Fault> {
 protected:
  static RawReplica::Script speaking(Play play) {
    return [play = std::move(play)](RawPeer& peer) {
      FramePeer frames(net::Fd(fcntl(peer.fd(), F_DUPFD_CLOEXEC, 0)));
      if (frames.readRaw(24).empty()) return;
      frames.send(NGHTTP2_SETTINGS, 0, 0, "");
      while (const auto frame = frames.next())
        if (frame->type == NGHTTP2_HEADERS) return play(frames);
    };
  }
  /// The body of an answer in chunks, if it is one.
  static std::string bodyOf(const Response& response) {
    if (response.header("Transfer-Encoding").empty()) return response.body;
    std::string body;
    for (std::size_t at = 0; at < response.body.size();) {
      const std::size_t line = response.body.find("\r\n", at), size = std::stoul(response.body.substr(at, line - at), nullptr, 16);
      body += response.body.substr(line + 2, size);
      at = line + 2 + size + 2;
    }
    return body;
  }
};

TEST_P(Http2ReplicaFaultTest, IsSeenByItsClientAloneAndLeavesNothing) {
  const Fault& fault = GetParam();
  protocol_ = api::Protocol::h2c;
  ASSERT_NO_FATAL_FAILURE(startBoth());
  {
    RawReplica replica(speaking(fault.play));
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    if (fault.largeBody)
      client.send("POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n" + std::string(200'000, 'x'));
    else
      client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    expectBystanderServed();
    const Seen seen = readAnswer(client.fd());
    EXPECT_TRUE(fault.statuses.contains(seen.status())) << seen.status() << "\n" << seen.response.head << seen.response.body;
    EXPECT_EQ(seen.cut(), fault.cut) << seen.response.head << seen.response.body;
    EXPECT_NE(seen.end, Seen::End::nothing);
    if (!fault.answer.empty()) EXPECT_EQ(bodyOf(seen.response), fault.answer);
    expectBystanderServed();
  }
  expectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(All, Http2ReplicaFaultTest, testing::ValuesIn(faults()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace pilotlight::gateway::test
