// A client that does not read: what the gateway has taken from the replica for it and holds itself is about 64 KiB, however much
// the replica has to say. What the kernel's buffers hold between the three is measured, and not counted.
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <fstream>

#include "../net/http2_frames.h"
#include "faults_fixture.h"

namespace pilotlight::gateway::test {
namespace {

using net::test::FramePeer;

class SlowReaderTest : public FaultsTest {
 protected:
  static constexpr std::size_t kEndless = 1 << 30;  // a gateway without a bound takes all of that
  static constexpr std::size_t kHeldAtMost = 192 * 1024;
  static constexpr seconds kLong{30};

  /// Says an endless answer until nobody has taken a byte of it for a while.
  RawReplica::Script endless() {
    return [this](RawPeer& peer) {
      if (!peer.readRequest()) return;
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
      const std::string part(16 * 1024, 'x');
      while (said_ < kEndless) {
        pollfd waiter{peer.fd(), POLLOUT, 0};
        if (poll(&waiter, 1, 200) == 0) break;
        const ssize_t sent = send(peer.fd(), part.data(), part.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) break;
        if (sent > 0) said_ += static_cast<std::size_t>(sent);
      }
      replicaFd_ = peer.fd();
      stalled_ = true;
      peer.idle();
      replicaFd_ = -1;
    };
  }

  static std::size_t queued(int fd, unsigned long what) {
    int bytes = 0;
    ioctl(fd, what, &bytes);
    return static_cast<std::size_t>(bytes);
  }
  /// Where a socket's other end is among this process's own.
  static int otherEndOf(int fd) {
    sockaddr_in mine{}, theirs{};
    socklen_t size = sizeof mine;
    getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &size);
    for (int other = 3; other < 1024; ++other) {
      size = sizeof theirs;
      if (other != fd && getpeername(other, reinterpret_cast<sockaddr*>(&theirs), &size) == 0 && theirs.sin_family == AF_INET &&
          theirs.sin_port == mine.sin_port && theirs.sin_addr.s_addr == mine.sin_addr.s_addr)
        return other;
    }
    return -1;
  }
  /// Bytes of the answer that are neither at the replica, nor in the kernel, nor at the client, which has read `read` of them.
  std::size_t heldByTheGateway(int clientFd, std::size_t read) const {
    const int upstream = otherEndOf(replicaFd_), downstream = otherEndOf(clientFd);
    EXPECT_GE(upstream, 0);
    EXPECT_GE(downstream, 0);
    const std::size_t elsewhere =
        queued(replicaFd_, SIOCOUTQ) + queued(upstream, SIOCINQ) + queued(downstream, SIOCOUTQ) + queued(clientFd, SIOCINQ) + read;
    return said_ > elsewhere ? said_ - elsewhere : 0;
  }

  std::atomic<std::size_t> said_ = 0;
  std::atomic<int> replicaFd_ = -1;
  std::atomic<bool> stalled_ = false;
};

TEST_F(SlowReaderTest, AnAnswerThatNobodyReadsIsTakenFromTheReplicaNoFurtherThanAbout64KiB) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong));
  {
    RawReplica replica(endless());
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    RawClient client(gateway_->address());
    client.send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return stalled_.load(); }));
    EXPECT_LT(said_, kEndless) << "the replica was never made to wait";
    EXPECT_LT(heldByTheGateway(client.fd(), 0), kHeldAtMost);
    expectBystanderServed();
  }
  expectNothingLeft();
}

TEST_F(SlowReaderTest, OverHttp2AStreamWithoutAWindowHoldsNoMoreAndOthersOfItsConnectionGoOn) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong));
  {
    RawReplica replica(endless());
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    FramePeer client(gateway_->address());
    client.window(0, 1 << 24);  // of the connection; the stream's stays at 64 KiB
    client.headers(1, net::test::get("/f"));
    EXPECT_EQ(net::test::valueOf(client.awaitHeaders(1), ":status"), "200");
    std::size_t read = 0;
    while (read < 65'535) {
      const auto frame = client.await(NGHTTP2_DATA, 1);
      ASSERT_FALSE(frame.payload.empty());
      read += frame.payload.size();
    }
    ASSERT_TRUE(eventually([&] { return stalled_.load(); }));
    EXPECT_LT(said_, kEndless) << "the replica was never made to wait";
    const std::size_t upstream = queued(replicaFd_, SIOCOUTQ) + queued(otherEndOf(replicaFd_), SIOCINQ);
    EXPECT_LT(said_ - upstream - read, kHeldAtMost);
    client.headers(3, net::test::get("/g"));
    EXPECT_EQ(net::test::valueOf(client.awaitHeaders(3), ":status"), "200");
  }
  expectNothingLeft();
}

}  // namespace
}  // namespace pilotlight::gateway::test
