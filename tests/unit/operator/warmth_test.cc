// Who is parked and lit, and what the API is told of it: pods in an in-memory cluster, shims played on 127.88.0.x.
#include "operator/warmth_loop.h"

#include <gmock/gmock.h>

#include "../net/harness.h"
#include "api/api.h"
#include "fixture.h"

namespace pilotlight::op {
namespace {

namespace resources = kube::resources;
using testing::Json;

/// Answers as a shim does.
class FakeShim final : public net::Application {
 public:
  explicit FakeShim(const std::string& address) : ip(address) {
    thread_.sync([&] {
      auto fd = net::listenTcp({ip, api::kShimPort});
      ASSERT_TRUE(fd) << fd.error();
      server_ = std::make_unique<net::Server>(thread_.loop, *this);
      server_->listen(std::move(*fd));
    });
  }
  ~FakeShim() {
    thread_.sync([&] { server_.reset(); });
    thread_.stop();
  }
  net::ExchangeHandler* onRequest(net::Exchange& exchange) override {
    const std::string_view path = exchange.head().path;
    if (path == "/_pilotlight/readyz") {
      exchange.respond(200, "text/plain", parked ? "parked\n" : "ok\n");
    } else if (path == "/_pilotlight/park") {
      ++asked;
      if (!busy) parked = true;
      exchange.respond(busy ? 409 : 202, "text/plain", "");
    } else {
      parked = false;
      exchange.respond(200, "text/plain", "lit\n");
    }
    return nullptr;
  }

  const std::string ip;
  std::atomic<bool> parked{false}, busy{false};
  std::atomic<int> asked{0};

 private:
  net::test::LoopThread thread_;
  std::unique_ptr<net::Server> server_;
};

class Warmth : public testing::OperatorTest {
 protected:
  void applyParked(int parked, int max, const Json& more = Json::object()) {
    Json scale{{"initial", 0}, {"parked", parked}, {"max", max}, {"toZeroAfter", "1s"}};
    scale.update(more);
    applyFunction("hello", {{"scale", scale}, {"concurrency", {{"perReplica", 10}, {"target", 100}}}});
  }
  /// The pod has the shim's address from now on.
  void give(const std::string& pod, const FakeShim& shim) { give(pod, shim.ip); }
  void give(const std::string& pod, const std::string& ip) {
    ASSERT_TRUE(eventually([&] {
      return cluster_.mergePatch(resources::pods, {"default", pod}, {{"status", {{"podIP", ip}}}}, "node", "status").has_value();
    }));
  }
  bool recorded(const std::string& pod, bool parked, const std::string& cost) {
    const auto object = get(resources::pods, pod);
    return object && object.annotation(api::kAnnotationParked) == (parked ? "0" : "") &&
           object.annotation("controller.kubernetes.io/pod-deletion-cost") == cost;
  }
  std::int64_t status(const char* field) { return get(resources::functions, "hello").intAt("/status/" + std::string(field)); }
};

TEST_F(Warmth, AnIdlePodIsParkedAndItsRecordCounts) {
  startOperator();
  applyParked(1, 3);
  FakeShim shim("127.88.0.1");
  give("hello-00001-0", shim);
  EXPECT_TRUE(eventually([&] { return recorded("hello-00001-0", true, "100"); }));
  EXPECT_TRUE(shim.parked);
  EXPECT_TRUE(eventually([&] { return status("parkedReplicas") == 1 && status("readyReplicas") == 0; }));
  EXPECT_EQ(replicas("hello-00001"), 1);
  const std::string line = "pilotlight_replicas{function=\"hello\",namespace=\"default\",state=\"parked\"} 1";
  EXPECT_TRUE(eventually([&] { return operator_->metrics().contains(line); })) << "told after the status is written";
}

TEST_F(Warmth, OneThatAGatewayLitIsNoticedReplacedAndInTheEndTheSurplusGoes) {
  startOperator();
  applyParked(1, 3);
  FakeShim first("127.88.0.2"), second("127.88.0.3");
  give("hello-00001-0", first);
  ASSERT_TRUE(eventually([&] { return recorded("hello-00001-0", true, "100"); }));
  first.parked = false;  // a gateway's doing
  first.busy = true;     // pods of this node are all of one second
  load_.set("hello", 5, 0);
  EXPECT_TRUE(eventually([&] { return recorded("hello-00001-0", false, ""); }));
  give("hello-00001-1", second);
  EXPECT_TRUE(eventually([&] { return recorded("hello-00001-1", true, "100"); })) << "it started lit, and is not needed so";
  EXPECT_EQ(replicas("hello-00001"), 2);
  load_.set("hello", 0, 0);
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 1; }));
  EXPECT_FALSE(first.parked) << "the Deployment takes it away: the other is worth more";
}

TEST_F(Warmth, ABusyPodIsPassedOverForAnIdleOne) {
  startOperator();
  FakeShim busy("127.88.0.4"), idle("127.88.0.5");
  busy.busy = true;
  applyParked(1, 2, {{"min", 1}});
  give("hello-00001-1", busy);
  ASSERT_TRUE(eventually([&] { return busy.asked >= 1; }));
  give("hello-00001-0", idle);
  EXPECT_TRUE(eventually([&] { return recorded("hello-00001-0", true, "100"); }));
  EXPECT_TRUE(recorded("hello-00001-1", false, ""));
}

TEST_F(Warmth, OneThatWasRestartedIsLitWhateverIsWritten) {
  startOperator();
  applyParked(1, 1);
  FakeShim shim("127.88.0.6");
  give("hello-00001-0", shim);
  ASSERT_TRUE(eventually([&] { return recorded("hello-00001-0", true, "100"); }));
  shim.busy = true;  // else it would be parked again before anybody looks
  shim.parked = false;
  const Json restarted = Json::array({{{"name", "function"}, {"restartCount", 1}}});
  ASSERT_TRUE(cluster_.mergePatch(resources::pods, {"default", "hello-00001-0"}, {{"status", {{"containerStatuses", restarted}}}}, "node",
                                  "status"));
  EXPECT_TRUE(eventually([&] { return status("readyReplicas") == 1 && status("parkedReplicas") == 0; }));
  shim.busy = false;
  EXPECT_TRUE(eventually(
      [&] { return get(resources::pods, "hello-00001-0").annotation(api::kAnnotationParked) == "1" && status("parkedReplicas") == 1; }));
}

TEST_F(Warmth, ParkedOnesAreLitWhenMoreAreWantedThanThereIsRoomFor) {
  startOperator();
  applyParked(1, 1);
  FakeShim shim("127.88.0.7");
  give("hello-00001-0", shim);
  ASSERT_TRUE(eventually([&] { return recorded("hello-00001-0", true, "100"); }));
  applyParked(0, 1, {{"min", 1}});
  EXPECT_TRUE(eventually([&] { return recorded("hello-00001-0", false, ""); }));
  EXPECT_FALSE(shim.parked);
}

TEST_F(Warmth, AShimThatIsNotReachedKeepsNothingUp) {
  startOperator();
  applyParked(1, 3);
  FakeShim shim("127.88.0.8");
  give("hello-00001-0", shim);
  ASSERT_TRUE(eventually([&] { return recorded("hello-00001-0", true, "100"); }));
  shim.parked = false;
  load_.set("hello", 25, 0);
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 3; }));
  give("hello-00001-1", "127.88.0.99");
  give("hello-00001-2", "127.88.0.99");
  shim.busy = true;
  load_.set("hello", 0, 0);
  EXPECT_TRUE(eventually([&] { return replicas("hello-00001") == 1; }));
}

TEST_F(Warmth, HowLongOneThatIsNotReachedKeepsReplicasUpIsASetting) {
  options_.parkingTicks = 10'000;
  options_.stableWindow = options_.panicWindow = testing::milliseconds(100);
  startOperator();
  applyParked(1, 3);
  load_.set("hello", 25, 0);
  ASSERT_TRUE(eventually([&] { return replicas("hello-00001") == 3; }));
  for (const char* pod : {"hello-00001-0", "hello-00001-1", "hello-00001-2"}) {
    give(pod, "127.88.0.99");
  }
  load_.set("hello", 0, 0);
  const int before = load_.calls();
  ASSERT_TRUE(eventually([&] { return load_.calls() > before + 60; }));  // looks, far beyond the windows and the default
  EXPECT_EQ(replicas("hello-00001"), 3);
}

}  // namespace
}  // namespace pilotlight::op
