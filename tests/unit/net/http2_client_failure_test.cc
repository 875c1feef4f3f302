// What the client's side of HTTP/2 makes of servers that break off, refuse, or break the protocol.
#include "client_calls.h"
#include "http2_frames.h"

namespace pilotlight::net {
namespace {

using namespace test;

TEST(Http2ClientFailure, SaysThatThereIsNoConnection) {
  const DeadPort dead;
  Caller caller;
  Answer answer;
  caller.start(dead.address, answer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, ClientFailure::connect);
  EXPECT_EQ(answer.sentAtFailure, 0u);
}

void goaway(FramePeer& peer, std::uint32_t last) {
  peer.send(NGHTTP2_GOAWAY, 0, 0, bigEndian(last, 4) + bigEndian(NGHTTP2_NO_ERROR, 4));
}

TEST(Http2ClientFailure, ToldThatNothingWasProcessedMaySendAgain) {
  FrameServer server;
  Caller caller;
  Answer first, refused, second, third;
  caller.start(server.address, first);
  caller.start(server.address, refused);
  auto peer = server.accept();
  caller.start(server.address, second);
  caller.start(server.address, third);
  for (const std::uint32_t id : {1u, 3u, 5u, 7u}) peer->await(NGHTTP2_HEADERS, id);
  peer->reset(3, NGHTTP2_REFUSED_STREAM);
  goaway(*peer, 1);
  ASSERT_TRUE(refused.wait() && second.wait() && third.wait());
  for (const Answer* answer : {&refused, &second, &third}) {
    EXPECT_EQ(answer->failure, ClientFailure::staleClosed);
    EXPECT_EQ(answer->sentAtFailure, 0u);
  }
  peer->headers(1, {{":status", "200"}});
  ASSERT_TRUE(first.wait());  // what it does process ends as ever
  EXPECT_EQ(first.status, 200);
  Answer next;
  caller.start(server.address, next);
  auto other = server.accept();
  other->await(NGHTTP2_HEADERS, 1);
  other->headers(1, {{":status", "204"}});
  ASSERT_TRUE(next.wait());
  EXPECT_EQ(next.status, 204);
}

TEST(Http2ClientFailure, TellsAStaleConnectionFromABrokenAnswer) {
  FrameServer server;
  Caller caller;
  Answer first, stale, broken;
  caller.start(server.address, first);
  auto peer = server.accept();
  peer->await(NGHTTP2_HEADERS, 1);
  peer->headers(1, {{":status", "200"}});
  ASSERT_TRUE(first.wait());
  caller.start(server.address, stale);
  peer->await(NGHTTP2_HEADERS, 3);
  peer->close();
  ASSERT_TRUE(stale.wait());
  EXPECT_EQ(stale.failure, ClientFailure::staleClosed);
  EXPECT_GT(stale.sentAtFailure, 0u);
  caller.start(server.address, broken);
  auto other = server.accept();
  other->await(NGHTTP2_HEADERS, 1);
  other->headers(1, {{":status", "200"}}, false);
  other->data(1, "some");
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return broken.body; }) == "some"; }));
  other->close();
  ASSERT_TRUE(broken.wait());
  EXPECT_EQ(broken.failure, ClientFailure::closed);
}

TEST(Http2ClientFailure, DeliversAWholeAnswerThoughTheConnectionHasGone) {
  FrameServer server;
  Caller caller;
  Answer answer;
  answer.pausesAtHead = true;
  caller.start(server.address, answer);
  auto peer = server.accept();
  peer->await(NGHTTP2_HEADERS, 1);
  peer->headers(1, {{":status", "200"}}, false);
  peer->data(1, std::string(16000, 'x'));
  peer->data(1, std::string(16000, 'y'), true);
  peer->shutdownWrite();
  ASSERT_TRUE(eventually([&] { return caller.sync([&] { return answer.status; }) == 200; }));
  Answer next;  // by the time that this is through, the end has been seen
  caller.start(server.address, next);
  auto other = server.accept();
  ASSERT_FALSE(caller.sync([&] { return answer.ended || answer.failure; }));
  caller.sync([&] { answer.call->resumeBody(); });
  ASSERT_TRUE(answer.wait());
  EXPECT_FALSE(answer.failure);
  EXPECT_EQ(answer.body.size(), 32000u);
  caller.sync([&] { next.call->cancel(); });
}

struct BrokenAnswer {
  const char* name;
  std::function<void(FramePeer&)> act;
  ClientFailure failure;
};

class BrokenAnswers : public testing::TestWithParam<BrokenAnswer> {};

TEST_P(BrokenAnswers, Fail) {
  FrameServer server;
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  auto peer = server.accept();
  peer->await(NGHTTP2_HEADERS, 1);
  GetParam().act(*peer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, GetParam().failure);
}

Fields manyFields(std::size_t count) {
  Fields fields{{":status", "200"}};
  for (std::size_t i = 0; i < count; ++i) fields.emplace_back("x-" + std::to_string(i), "1");
  return fields;
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenAnswers,
    testing::Values(BrokenAnswer{"Reset", [](FramePeer& peer) { peer.reset(1, NGHTTP2_INTERNAL_ERROR); }, ClientFailure::closed},
                    BrokenAnswer{"ResetInBody",
                                 [](FramePeer& peer) {
                                   peer.headers(1, {{":status", "200"}}, false);
                                   peer.data(1, "x");
                                   peer.reset(1, NGHTTP2_NO_ERROR);
                                 },
                                 ClientFailure::closed},
                    BrokenAnswer{"DataBeforeHead", [](FramePeer& peer) { peer.data(1, "x"); }, ClientFailure::protocol},
                    BrokenAnswer{"NoStatus", [](FramePeer& peer) { peer.headers(1, {{"x-a", "1"}}); }, ClientFailure::protocol},
                    BrokenAnswer{"SmallStatus", [](FramePeer& peer) { peer.headers(1, {{":status", "051"}}); }, ClientFailure::protocol},
                    BrokenAnswer{"Switching", [](FramePeer& peer) { peer.headers(1, {{":status", "101"}}); }, ClientFailure::protocol},
                    BrokenAnswer{"InterimAsEnd", [](FramePeer& peer) { peer.headers(1, {{":status", "103"}}); }, ClientFailure::protocol},
                    BrokenAnswer{"OfHttp1", [](FramePeer& peer) { peer.headers(1, {{":status", "200"}, {"connection", "close"}}); },
                                 ClientFailure::protocol},
                    BrokenAnswer{"ManyFields", [](FramePeer& peer) { peer.headers(1, manyFields(200)); }, ClientFailure::protocol},
                    BrokenAnswer{"ShortBody",
                                 [](FramePeer& peer) {
                                   peer.headers(1, {{":status", "200"}, {"content-length", "3"}}, false);
                                   peer.data(1, "x", true);
                                 },
                                 ClientFailure::protocol},
                    BrokenAnswer{"Push",
                                 [](FramePeer& peer) {
                                   peer.send(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");  // having read that there is no push
                                   peer.send(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, bigEndian(2, 4) + block(get()));
                                 },
                                 ClientFailure::protocol},
                    BrokenAnswer{"BadFrame", [](FramePeer& peer) { peer.send(NGHTTP2_PING, 0, 0, "short"); }, ClientFailure::protocol},
                    BrokenAnswer{"Nothing", [](FramePeer& peer) { peer.close(); }, ClientFailure::closed}),
    [](const auto& info) { return info.param.name; });

TEST(Http2ClientFailure, SaysThatTheServerSpeaksAnotherProtocol) {
  ServerFixture server({.http2 = false});
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.failure, ClientFailure::protocol);
}

TEST(Http2ClientFailure, HandsBackCallsThatItsServerHasNoRoomFor) {
  FrameServer server;
  Caller caller;
  std::vector<std::unique_ptr<Answer>> answers;
  caller.sync([&] {  // before anything of the server is known
    const Header host{"host", "a"};
    for (int i = 0; i < 3; ++i) {
      answers.push_back(std::make_unique<Answer>());
      answers.back()->call = caller.pool->call(caller.pool->peer(server.address, Protocol::h2c), {"GET", "/", {&host, 1}}, *answers.back());
    }
  });
  auto peer = server.accept(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1));
  peer->await(NGHTTP2_HEADERS, 1);
  peer->reset(3, NGHTTP2_REFUSED_STREAM);
  peer->reset(5, NGHTTP2_REFUSED_STREAM);
  peer->headers(1, {{":status", "200"}});
  for (auto& answer : answers) ASSERT_TRUE(answer->wait());
  EXPECT_EQ(answers[0]->status, 200);
  EXPECT_EQ(answers[1]->sentAtFailure + answers[2]->sentAtFailure, 0u);
}

TEST(Http2ClientFailure, WantsNoPush) {
  FrameServer server;
  Caller caller;
  Answer answer;
  caller.start(server.address, answer);
  auto peer = server.accept();
  EXPECT_NE(peer->await(NGHTTP2_SETTINGS).payload.find(setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)), std::string::npos);
  peer->await(NGHTTP2_HEADERS, 1);
  peer->send(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, bigEndian(2, 4) + block(get()));  // was on its way
  EXPECT_NE(peer->await(NGHTTP2_RST_STREAM, 2).error(), std::uint32_t{NGHTTP2_NO_ERROR});
  peer->headers(1, {{":status", "200"}});
  ASSERT_TRUE(answer.wait());
  EXPECT_EQ(answer.status, 200);
}

}  // namespace
}  // namespace pilotlight::net
