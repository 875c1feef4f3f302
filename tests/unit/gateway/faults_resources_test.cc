// The gateway itself runs short: of descriptors, of somebody who takes its log, of memory. It refuses or waits, says why, and
// recovers by itself.
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "faults_fixture.h"
#include "gateway/memory_guard.h"

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace pilotlight::gateway::test {
namespace {

constexpr seconds kLong{30};

/// As far as this process can give it back: under the address sanitizer what has been freed stays resident.
std::uint64_t memoryInUse() {
#if __has_feature(address_sanitizer)
  return __sanitizer_get_current_allocated_bytes();
#else
  return residentBytes();
#endif
}

/// While it lives, this process can open nothing more; what is open works.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{3, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_EQ(open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EMFILE);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

class ResourcesTest : public FaultsTest {
 protected:
  std::string metric(const std::string& name) {
    const std::string all = gateway_->metrics();
    const auto at = all.find("\n" + name + " ");
    return at == std::string::npos ? "" : all.substr(at + name.size() + 2, all.find('\n', at + 1) - at - name.size() - 2);
  }
  std::uint64_t count(const std::string& name) {
    const std::string value = metric(name);
    return value.empty() ? 0 : std::stoull(value);
  }
  /// A connection that the gateway has accepted.
  std::unique_ptr<RawClient> accepted() {
    auto client = std::make_unique<RawClient>(gateway_->address());
    client->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(client->fd()).status(), 200);
    return client;
  }
};

TEST_F(ResourcesTest, WithoutDescriptorsRequestsWaitForAConnectionAndReplicasStay) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong, kLong));
  {
    std::atomic<int> begun = 0;
    std::atomic<bool> answer = false;
    RawReplica replica([&](RawPeer& peer) {
      while (peer.readRequest()) {
        ++begun;
        while (!answer && !peer.leftWithin(milliseconds(1))) {
        }
        peer.seen.clear();
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    auto first = accepted(), second = accepted();
    first->send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return begun == 1; }));
    const net::Fd third(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto to = *net::toSocketAddress(gateway_->address());
    {
      const NoDescriptors none;
      second->send("POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
      ASSERT_TRUE(eventually([&] { return count("pilotlight_gateway_retries_total{namespace=\"default\",function=\"f\"}") >= 5; }));
      EXPECT_EQ(metric("pilotlight_gateway_replicas{namespace=\"default\",function=\"f\"}"), "1");
      ASSERT_EQ(connect(third.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.length), 0) << "waits to be accepted";
      constexpr std::string_view kRequest = "GET /g/third HTTP/1.1\r\nHost: a\r\n\r\n";
      ASSERT_EQ(send(third.get(), kRequest.data(), kRequest.size(), 0), static_cast<ssize_t>(kRequest.size()));
      answer = true;  // which gives a connection back
      EXPECT_EQ(readAnswer(first->fd()).response.body, "ok");
      EXPECT_EQ(readAnswer(second->fd()).response.body, "ok");
      first->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(readAnswer(first->fd()).status(), 200) << "another function";
      EXPECT_EQ(replica.connections, 1);
    }
    EXPECT_EQ(readAnswer(third.get()).response.body, "GET /third ") << "accepted once there are descriptors again";
  }
  expectNothingLeft();
}

TEST_F(ResourcesTest, WithoutDescriptorsForTooLongARequestGets503ThatSaysSo) {
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong));
  {
    RawReplica replica([](RawPeer& peer) {
      if (peer.readRequest()) peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    auto client = accepted();
    {
      const NoDescriptors none;
      client->send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
      const Seen seen = readAnswer(client->fd());
      EXPECT_EQ(seen.status(), 503);
      EXPECT_NE(seen.response.body.find("descriptors"), std::string::npos) << seen.response.body;
      EXPECT_EQ(seen.response.header("Retry-After"), "1");
    }
    client->send("GET /f HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(client->fd()).response.body, "ok") << "the replica was not blamed";
  }
  expectNothingLeft();
}

// --- nobody takes the log ---

TEST_F(ResourcesTest, AFullDiskForTheLogCostsLinesAndNothingElse) {
  const net::Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  options_.log = nullptr;
  options_.logFd = full.get();
  options_.accessLog = AccessLog::all;
  ASSERT_NO_FATAL_FAILURE(startBoth());
  for (int i = 0; i < 20; ++i) expectBystanderServed();
  EXPECT_TRUE(eventually([&] { return count("pilotlight_gateway_access_log_dropped_total") >= 21; }))
      << count("pilotlight_gateway_access_log_dropped_total");
  expectNothingLeft();
}

TEST_F(ResourcesTest, ALogThatNobodyReadsCostsLinesUntilItIsReadAgain) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  const net::Fd reader(fds[0]), writer(fds[1]);
  options_.log = nullptr;
  options_.logFd = writer.get();
  options_.accessLog = AccessLog::all;
  ASSERT_NO_FATAL_FAILURE(startBoth());
  std::string read;
  const auto drain = [&] {
    char buffer[65536];
    for (pollfd waiter{reader.get(), POLLIN, 0}; poll(&waiter, 1, 200) > 0;) {
      const ssize_t got = ::read(reader.get(), buffer, sizeof buffer);
      if (got <= 0) return;
      read.append(buffer, static_cast<std::size_t>(got));
    }
  };
  {
    RawClient client(gateway_->address());
    int sent = 1;  // one by startBoth()
    while (count("pilotlight_gateway_access_log_dropped_total") == 0) {
      ASSERT_LT(++sent, 50'000);
      client.send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
      ASSERT_EQ(readAnswer(client.fd()).status(), 200);
    }
    const auto lines = [&] {
      drain();
      return static_cast<std::uint64_t>(std::ranges::count(read, '\n'));
    };
    EXPECT_TRUE(
        eventually([&] { return lines() + count("pilotlight_gateway_access_log_dropped_total") >= static_cast<std::uint64_t>(sent); }));
    EXPECT_LT(read.size(), 1u << 20) << "what is kept is bounded";
    read.clear();
    client.send("GET /g/again HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(client.fd()).status(), 200);
    drain();
    EXPECT_NE(read.find("\"path\":\"/g/again\""), std::string::npos) << read;
  }
  expectNothingLeft();
}

// --- memory ---

constexpr std::uint64_t kMiB = 1 << 20;

TEST_F(ResourcesTest, ShortOfMemoryNewRequestsAreRefusedAndThoseInFlightFinish) {
  std::atomic<std::uint64_t> used = 10 * kMiB;
  options_.memoryLimit = 160 * kMiB;
  options_.memoryUsed = [&] { return used.load(); };
  ASSERT_NO_FATAL_FAILURE(startBoth(kLong));
  {
    std::atomic<bool> answer = false;
    RawReplica replica([&](RawPeer& peer) {
      if (!peer.readRequest()) return;
      while (!answer && !peer.leftWithin(milliseconds(1))) {
      }
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    ASSERT_NO_FATAL_FAILURE(faultyReplica(replica.address));
    auto before = accepted(), known = accepted();
    before->send("POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    ASSERT_TRUE(eventually([&] { return load().inFlight == 1; }));
    used = 150 * kMiB;
    ASSERT_TRUE(eventually([&] { return metric("pilotlight_gateway_memory_refusing") == "1"; }));
    known->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
    const Seen refused = readAnswer(known->fd());
    EXPECT_EQ(refused.status(), 503);
    EXPECT_EQ(refused.response.header("Retry-After"), "1");
    EXPECT_EQ(Json::parse(refused.response.body)["limit"], "memory");
    EXPECT_EQ(count("pilotlight_gateway_memory_refused_total"), 1u);
    EXPECT_EQ(call(gateway_->internalAddress(), "/healthz").status, 200) << "the gateway itself is well";
    RawClient fresh(gateway_->address());
    fresh.send("GET /g/fresh HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(fresh.fd(), milliseconds(100)).end, Seen::End::nothing) << "not accepted";
    before->send("dy");
    answer = true;
    EXPECT_EQ(readAnswer(before->fd()).response.body, "ok");
    used = 10 * kMiB;
    EXPECT_EQ(readAnswer(fresh.fd()).response.body, "GET /fresh ");
    known->send("GET /g HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(readAnswer(known->fd()).status(), 200) << "its connection was kept";
  }
  expectNothingLeft();
}

TEST_F(ResourcesTest, BodiesOfManyConnectionsNeverTakeMoreThanTheLimitAndAreGivenBack) {
  const std::uint64_t limit = memoryInUse() + 64 * kMiB;
  options_.memoryLimit = limit;
  options_.memoryUsed = memoryInUse;
  auto roomy = route("f");
  roomy.spec.backends[0].perReplica = 1000;
  apply(roomy);
  apply(route("g"));
  start();
  replica("bystander", bystander_, "g");
  std::uint64_t most = 0;
  {
    const RawReplica silent(nullptr, 4096);  // takes no connection, so that each request keeps its body for another attempt
    ASSERT_NO_FATAL_FAILURE(faultyReplica(silent.address));
    const std::string request = "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + std::string(60'000, 'b');
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 1000; ++i) {
      clients.push_back(std::make_unique<RawClient>(gateway_->address()));
      send(clients.back()->fd(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      most = std::max(most, memoryInUse());
    }
    EXPECT_TRUE(eventually([&] { return metric("pilotlight_gateway_memory_refusing") == "1"; }));
    most = std::max(most, memoryInUse());
    EXPECT_GT(load().inFlight, 20);
    EXPECT_LT(load().inFlight, 1000);
  }
  EXPECT_LE(most, limit) << most / kMiB << " of " << limit / kMiB << " MiB";
  EXPECT_TRUE(idle());
  EXPECT_TRUE(eventually([&] { return metric("pilotlight_gateway_memory_refusing") == "0"; })) << memoryInUse() / kMiB << " MiB";
  expectBystanderServed();
}

}  // namespace
}  // namespace pilotlight::gateway::test
