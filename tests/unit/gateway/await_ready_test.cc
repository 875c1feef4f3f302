#include "gateway/await_ready.h"

#include <thread>

#include "fixture.h"

namespace pilotlight::gateway::test {
namespace {

using AwaitReadyTest = GatewayTest;

net::Address freeAddress() {
  const auto listener = net::listenTcp({"127.0.0.1", 0});
  return net::localAddress(listener->get());
}

TEST_F(AwaitReadyTest, EndsWhenTheGatewayHasBecomeReady) {
  options_.internalListen = freeAddress();
  std::expected<void, std::string> ready = std::unexpected("not asked");
  std::thread waiting([&] { ready = awaitReady(options_.internalListen, seconds(20)); });
  start();
  waiting.join();
  EXPECT_TRUE(ready) << ready.error();
}

TEST_F(AwaitReadyTest, SaysThatNobodyListens) {
  const auto address = freeAddress();
  const auto ready = awaitReady(address, milliseconds(50));
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error(), "the gateway at " + address.toString() + " is not ready: Connection refused");
}

TEST_F(AwaitReadyTest, TakesAGatewayThatEndsForNotReady) {
  start();
  gateway_->announceEnd();
  const auto ready = awaitReady(gateway_->internalAddress(), milliseconds(50));
  ASSERT_FALSE(ready);
  EXPECT_TRUE(ready.error().ends_with("it answered HTTP/1.1 503")) << ready.error();
}

}  // namespace
}  // namespace pilotlight::gateway::test
