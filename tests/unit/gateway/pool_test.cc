// The pool with functions on several loops at once, without HTTP.
#include "gateway/pool.h"

#include <deque>

#include "../net/harness.h"
#include "gateway/function_entry.h"

namespace pilotlight::gateway {
namespace {

using std::chrono::seconds;

/// A request without HTTP: takes a slot, keeps it for a turn of its loop, gives it back, and begins again.
class Taker final : public SlotTaker {
 public:
  Taker(net::Loop& loop, FunctionEntry& entry, std::atomic<int>& inFlight, std::atomic<int>& most, int rounds)
      : loop_(loop), entry_(entry), inFlight_(inFlight), most_(most), left_(rounds) {}
  net::Loop& ownerLoop() override { return loop_; }
  void begin() {
    const auto taken = entry_.take(*this, net::Clock::now(), nullptr, false);
    if (taken.upstream) onGrant(*taken.upstream);
  }
  void onGrant(Upstream& upstream) override {
    const int now = ++inFlight_;
    int most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
    loop_.post([this, &upstream] {
      --inFlight_;
      if (ticket)
        EXPECT_FALSE(entry_.release(upstream, ticket, Ended::certainly, net::Clock::now()));
      else
        entry_.release(upstream, net::Clock::now());
      if (--left_ > 0)
        begin();
      else
        done.set_value();
    });
  }
  void onMoved() override { ADD_FAILURE() << "nobody else owns it"; }
  void onNoPlace(Limit) override { ADD_FAILURE() << "there is one gateway"; }
  std::promise<void> done;

 private:
  net::Loop& loop_;
  FunctionEntry& entry_;
  std::atomic<int>&inFlight_, &most_;
  int left_;
};

TEST(PoolOfAGateway, LosesNobodyWhenLoopsRaceForItsSlots) {
  constexpr int kLoops = 4, kFunctions = 6, kTakers = 48, kRounds = 500;
  Pool pool(5);
  std::vector<std::unique_ptr<FunctionEntry>> functions;
  for (int i = 0; i < kFunctions; ++i) {
    functions.push_back(std::make_unique<FunctionEntry>(kube::Key{"default", "f" + std::to_string(i)}, pool));
    api::FunctionRouteSpec spec;
    spec.backends.push_back({.version = 1, .perReplica = 1 + i % 3});
    if (i == 0) spec.reserved = 2;  // leaves three to the others
    functions.back()->configure(spec);
    functions.back()->up("a", "a", 1, {"127.0.0.1", 1});
    functions.back()->up("b", "b", 1, {"127.0.0.1", 2});
    if (i > 0) continue;
    functions.back()->own(1, {});
    for (const auto& question : functions.back()->questions())
      (void)functions.back()->answered(question, {}, FunctionEntry::Says::takes, {});
  }
  std::array<std::atomic<int>, 2> inFlight{}, most{};  // reserved, shared
  std::array<net::test::LoopThread, kLoops> loops;
  std::deque<Taker> takers;
  for (std::size_t i = 0; i < kTakers; ++i) {
    const std::size_t shares = i % kFunctions == 0 ? 0 : 1;
    Taker& taker = takers.emplace_back(loops[i % kLoops].loop, *functions[i % kFunctions], inFlight[shares], most[shares], kRounds);
    loops[i % kLoops].loop.post([&taker] { taker.begin(); });
  }
  for (Taker& taker : takers) ASSERT_EQ(taker.done.get_future().wait_for(seconds(120)), std::future_status::ready);
  for (auto& loop : loops) loop.stop();
  EXPECT_LE(most[0], 2);
  EXPECT_LE(most[1], 3);
  const Pool::Counts counts = pool.counts();
  EXPECT_EQ(counts.taken, 0);
  EXPECT_EQ(counts.waiting, 0U);
  for (const auto& function : functions) EXPECT_EQ(function->load().inFlight + function->load().queued, 0);
  functions.clear();
  EXPECT_EQ(pool.counts().reserved, 0);
}

}  // namespace
}  // namespace pilotlight::gateway
