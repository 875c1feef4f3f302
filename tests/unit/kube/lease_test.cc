#include "kube/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>

#include "kube/memory.h"

namespace pilotlight::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

SteadyTime at(double secondsFromStart) {
  return SteadyTime(seconds(1000)) + std::chrono::duration_cast<SteadyTime::duration>(std::chrono::duration<double>(secondsFromStart));
}

SystemTime wall(double secondsFromStart) {
  return SystemTime(seconds(1'800'000'000)) +
         std::chrono::duration_cast<SystemTime::duration>(std::chrono::duration<double>(secondsFromStart));
}

LeaseOptions optionsOf(const std::string& identity) {
  return {.lease = {"test", "leader"}, .identity = identity};
}

SeenLease heldBy(const std::string& holder, SteadyTime since) {
  return {.holder = holder, .duration = seconds(15), .since = since};
}

}  // namespace

TEST(LeaseDecision, FollowsWhoHoldsItAndHowLongItHasBeenSeenUnchanged) {
  EXPECT_EQ(decideLease(std::nullopt, "me", at(0)), LeaseStep::create);
  EXPECT_EQ(decideLease(heldBy("", at(0)), "me", at(0)), LeaseStep::acquire);
  EXPECT_EQ(decideLease(heldBy("me", at(0)), "me", at(0)), LeaseStep::renew);
  EXPECT_EQ(decideLease(heldBy("me", at(0)), "me", at(1000)), LeaseStep::renew) << "nobody else took it";
  EXPECT_EQ(decideLease(heldBy("other", at(0)), "me", at(0)), LeaseStep::wait);
  EXPECT_EQ(decideLease(heldBy("other", at(0)), "me", at(14.999)), LeaseStep::wait);
  EXPECT_EQ(decideLease(heldBy("other", at(0)), "me", at(15)), LeaseStep::acquire);
}

TEST(LeaseDecision, AgeCountsFromWhenTheVersionWasFirstSeen) {
  const auto object = [](const char* version, const char* renewTime) {
    return Object(Json{{"metadata", {{"resourceVersion", version}}},
                       {"spec", {{"holderIdentity", "other"}, {"leaseDurationSeconds", 15}, {"renewTime", renewTime}}}});
  };
  // The renewTime, of another machine's clock, says nothing.
  const auto first = seeLease(object("1", "1999-01-01T00:00:00.000000Z"), std::nullopt, at(0));
  EXPECT_EQ(decideLease(first, "me", at(0)), LeaseStep::wait);
  const auto same = seeLease(object("1", "1999-01-01T00:00:00.000000Z"), first, at(10));
  EXPECT_EQ(same->since, at(0));
  const auto renewed = seeLease(object("2", "1999-01-01T00:00:00.000000Z"), same, at(14));
  EXPECT_EQ(renewed->since, at(14));
  EXPECT_EQ(decideLease(renewed, "me", at(16)), LeaseStep::wait);
  EXPECT_EQ(seeLease(Object(), renewed, at(16)), std::nullopt);
}

TEST(LeaseWrite, RenewalsKeepWhenItWasAcquiredAndEveryUpdateItsVersion) {
  const LeaseOptions me = optionsOf("me");
  const Json created = leaseToWrite(LeaseStep::create, std::nullopt, me, wall(0));
  EXPECT_EQ(created["spec"]["holderIdentity"], "me");
  EXPECT_EQ(created["spec"]["leaseDurationSeconds"], 15);
  EXPECT_EQ(created["spec"]["leaseTransitions"], 0);
  EXPECT_EQ(created["spec"]["acquireTime"], microTimestamp(wall(0)));
  EXPECT_FALSE(created["metadata"].contains("resourceVersion"));

  Json stored = created;
  stored["metadata"]["resourceVersion"] = "7";
  const Json renewed = leaseToWrite(LeaseStep::renew, seeLease(Object(stored), std::nullopt, at(0)), me, wall(2));
  EXPECT_EQ(renewed["spec"]["acquireTime"], created["spec"]["acquireTime"]);
  EXPECT_EQ(renewed["spec"]["renewTime"], microTimestamp(wall(2)));
  EXPECT_EQ(renewed["spec"]["leaseTransitions"], 0);
  EXPECT_EQ(renewed["metadata"]["resourceVersion"], "7");

  const Json taken = leaseToWrite(LeaseStep::acquire, seeLease(Object(stored), std::nullopt, at(0)), optionsOf("other"), wall(30));
  EXPECT_EQ(taken["spec"]["leaseTransitions"], 1);
  EXPECT_EQ(taken["spec"]["acquireTime"], microTimestamp(wall(30)));

  const Json released = leaseToWrite(LeaseStep::renew, seeLease(Object(stored), std::nullopt, at(0)), me, wall(3), true);
  EXPECT_EQ(released["spec"]["holderIdentity"], "");
}

TEST(LeaseOptions, MustLeaveTimeToStop) {
  EXPECT_EQ(leaseProblem(optionsOf("me")), std::nullopt);
  LeaseOptions options = optionsOf("me");
  options.renewDeadline = options.duration;
  EXPECT_NE(leaseProblem(options), std::nullopt);
  options = optionsOf("me");
  options.retryPeriod = options.renewDeadline;
  EXPECT_NE(leaseProblem(options), std::nullopt);
  options = optionsOf("me");
  options.duration = milliseconds(15'500);
  EXPECT_NE(leaseProblem(options), std::nullopt);
  EXPECT_NE(leaseProblem(optionsOf("")), std::nullopt);
}

/// Candidates with clocks of their own rates, that sleep, lose writes' answers and are paused at random: of those that have
/// renewed within their deadline, there is never more than one.
class LeaseProperty : public ::testing::TestWithParam<unsigned> {};

TEST_P(LeaseProperty, NeverTwoLeadersWithinTheirDeadlines) {
  struct Candidate {
    LeaseOptions options;
    double rate;  // of its clock
    std::optional<SeenLease> seen{};
    std::optional<double> renewed{};  // by its own clock
    double nextTry = 0;               // by the world's
  };
  std::mt19937 random(GetParam());
  const auto below = [&](double limit) { return std::uniform_real_distribution<>(0, limit)(random); };
  MemoryCluster cluster;
  std::vector<Candidate> candidates;
  for (int i = 0; i < 3; ++i) candidates.push_back({optionsOf("c" + std::to_string(i)), 0.95 + below(0.1)});
  int elections = 0;
  std::string leader;
  for (double world = 0; world < 2000; world += 0.25) {
    for (Candidate& each : candidates) {
      if (world < each.nextTry) continue;
      const double own = world * each.rate;
      each.nextTry = world + 2 + (random() % 20 == 0 ? below(40) : 0);  // sometimes it sleeps
      const auto lease = cluster.get(resources::leases, each.options.lease);
      each.seen = seeLease(lease.value_or(Object()), each.seen, at(own));
      const LeaseStep step = decideLease(each.seen, each.options.identity, at(own));
      if (step == LeaseStep::wait) continue;
      const Json wanted = leaseToWrite(step, each.seen, each.options, wall(own));
      const auto written =
          step == LeaseStep::create ? cluster.create(resources::leases, wanted, "test") : cluster.update(resources::leases, wanted, "test");
      if (written && random() % 10 != 0) each.renewed = own;  // the answer may be lost
    }
    int leaders = 0;
    for (const Candidate& each : candidates) {
      if (!each.renewed || world * each.rate - *each.renewed >= 10) continue;
      ++leaders;
      if (leader != each.options.identity) ++elections;
      leader = each.options.identity;
    }
    ASSERT_LE(leaders, 1) << "at " << world;
  }
  EXPECT_GT(elections, 3) << "the world must be rough enough to show anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseProperty, ::testing::Range(1U, 21U));

namespace {

/// Hands everything on, until it is told to hang or to fail.
class UnreachableClient final : public Client {
 public:
  explicit UnreachableClient(Client& client) : client_(client) {}
  void hang(bool now) {
    const std::lock_guard lock(mutex_);
    hanging_ = now;
    changed_.notify_all();
  }
  Result<Object> get(const Resource& r, const Key& k) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hanging_; });
    return client_.get(r, k);
  }
  Result<Object> create(const Resource& r, const Json& o, const std::string& m) override { return client_.create(r, o, m); }
  Result<Object> update(const Resource& r, const Json& o, const std::string& m) override { return client_.update(r, o, m); }
  Result<ObjectList> list(const Resource& r, const ListOptions& o) override { return client_.list(r, o); }
  Result<std::unique_ptr<WatchStream>> watch(const Resource& r, const WatchOptions& o) override { return client_.watch(r, o); }
  Result<Object> apply(const Resource& r, const Json& o, const ApplyOptions& a) override { return client_.apply(r, o, a); }
  Result<Object> applyStatus(const Resource& r, const Json& o, const ApplyOptions& a) override { return client_.applyStatus(r, o, a); }
  Result<Object> mergePatch(const Resource& r, const Key& k, const Json& p, const std::string& m, const std::string& s) override {
    return client_.mergePatch(r, k, p, m, s);
  }
  Result<Object> patchScale(const Resource& r, const Key& k, int n, const std::string& v, const std::string& m) override {
    return client_.patchScale(r, k, n, v, m);
  }
  Result<void> remove(const Resource& r, const Key& k, const DeleteOptions& o) override { return client_.remove(r, k, o); }

 private:
  Client& client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hanging_ = false;
};

/// What an elector called back, and a way to wait for it.
class Told {
 public:
  LeaseCallbacks callbacks() {
    return {[this] { add('+'); }, [this] { add('-'); }};
  }
  bool becomes(const std::string& wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(30), [&] { return told_ == wanted; });
  }

 private:
  void add(char what) {
    const std::lock_guard lock(mutex_);
    told_ += what;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string told_;
};

LeaseOptions quick(const std::string& identity) {
  LeaseOptions options = optionsOf(identity);
  options.duration = seconds(1);
  options.renewDeadline = milliseconds(300);
  options.retryPeriod = milliseconds(10);
  return options;
}

}  // namespace

TEST(LeaseElector, TheNextOneLeadsAsSoonAsTheFirstStops) {
  MemoryCluster cluster;
  Told first, second;
  LeaseElector one(cluster, quick("one"), first.callbacks());
  one.start();
  ASSERT_TRUE(first.becomes("+"));
  EXPECT_TRUE(one.leading());
  LeaseElector two(cluster, quick("two"), second.callbacks());
  two.start();
  one.stop();
  EXPECT_TRUE(first.becomes("+-"));
  EXPECT_FALSE(one.leading());
  ASSERT_TRUE(second.becomes("+"));
  EXPECT_EQ(cluster.get(resources::leases, {"test", "leader"})->intAt("/spec/leaseTransitions"), 1);
}

TEST(LeaseElector, AHangingApiServerDoesNotKeepALeaderFromHearingThatItLost) {
  MemoryCluster cluster;
  UnreachableClient client(cluster);
  Told told;
  LeaseElector elector(client, quick("one"), told.callbacks());
  elector.start();
  ASSERT_TRUE(told.becomes("+"));
  client.hang(true);
  EXPECT_TRUE(told.becomes("+-"));
  EXPECT_FALSE(elector.leading());
  client.hang(false);
  EXPECT_TRUE(told.becomes("+-+")) << "nobody else took it";
  elector.stop();
  EXPECT_TRUE(told.becomes("+-+-"));
}

TEST(LeaseElector, WhoWaitsCanBeStopped) {
  MemoryCluster cluster;
  Told first, second;
  LeaseOptions patient = quick("two");
  patient.retryPeriod = milliseconds(299);
  LeaseElector one(cluster, quick("one"), first.callbacks());
  one.start();
  ASSERT_TRUE(first.becomes("+"));
  LeaseElector two(cluster, patient, second.callbacks());
  two.start();
  two.stop();
  EXPECT_TRUE(second.becomes(""));
  EXPECT_TRUE(one.leading());
  LeaseElector never(cluster, quick("three"), {});
}

}  // namespace pilotlight::kube
