// Fields of answers that end at each hop: from a replica that speaks for itself, as a shim would not.
#include "fixture.h"
#include "raw_replica.h"

namespace pilotlight::gateway::test {
namespace {

class FieldsTest : public GatewayTest {
 protected:
  /// What a client gets of an answer with these fields.
  Response answerWith(const std::string& fields) {
    RawReplica replica([&](RawPeer& peer) {
      if (peer.readRequest()) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + fields + "\r\nfine");
    });
    apply(route());
    start();
    EXPECT_EQ(callHome("p", pod("p"), replica.address.port), 204);
    const Response response = call(gateway_->address(), "/f");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "fine");
    return response;
  }
};

TEST_F(FieldsTest, WhatConnectionNamesInAnAnswerDoesNotReachTheClient) {
  const Response response = answerWith("Connection: close, X-Hop , x-other\r\nX-Hop: 1\r\nX-Other: 2\r\nX-Hopper: 3\r\n");
  EXPECT_EQ(response.header("X-Hop"), "");
  EXPECT_EQ(response.header("X-Other"), "");
  EXPECT_EQ(response.header("X-Hopper"), "3");
  EXPECT_EQ(response.header("Connection"), "close") << "the client asked for it";
}

TEST_F(FieldsTest, EveryConnectionFieldOfAnAnswerIsReadAlsoAfterWhatItNames) {
  const Response response = answerWith("X-Hop: 1\r\nX-Stays: 3\r\nConnection: keep-alive\r\nX-Other: 2\r\nConnection: X-Hop,X-Other\r\n");
  EXPECT_EQ(response.header("X-Hop"), "");
  EXPECT_EQ(response.header("X-Other"), "");
  EXPECT_EQ(response.header("X-Stays"), "3");
}

TEST_F(FieldsTest, FieldsOfAHopInAnAnswerEndThereEvenUnnamed) {
  const Response response = answerWith(
      "Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Stays: 3\r\n");
  for (const char* name : {"Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "TE", "Upgrade"})
    EXPECT_EQ(response.header(name), "") << name;
  EXPECT_EQ(response.header("X-Stays"), "3");
}

}  // namespace
}  // namespace pilotlight::gateway::test
