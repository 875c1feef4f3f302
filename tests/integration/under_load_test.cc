// Changes of a function while it is in use: not one failed request in 30 s at 500 requests per second.
#include <algorithm>

#include "tests/integration/fixture.h"
#include "tests/support/load_generator.h"

namespace pilotlight::test {
namespace {

class UnderLoad : public LocalTest {
 protected:
  // Runs `change` at its second of the 30, while the load goes on.
  LoadReport loadWhile(const std::vector<std::pair<int, std::function<void()>>>& changes) {
    Load load{.port = local.port(), .perSecond = 500, .duration = 30s};
    load.request = [](int number) {
      // Every tenth is unsafe to repeat: what is in flight must be let finish, not sent again.
      return HttpRequest{.method = number % 10 == 0 ? "POST" : "GET", .target = "/loaded?ms=5", .timeout = 10s};
    };
    auto report = std::async(std::launch::async, [&] { return generateLoad(load); });
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& [second, change] : changes) {
      std::this_thread::sleep_until(begin + std::chrono::seconds(second));
      change();
    }
    return report.get();
  }

  void apply(const std::string& label, int replicas) { local.addRecorder("loaded", spec(replicas), label); }
  static std::string spec(int replicas) { return "  concurrency: {perReplica: 20}\n  replicas: " + std::to_string(replicas) + "\n"; }
};

TEST_F(UnderLoad, UpdatesLoseNoRequest) {
  apply("v1", 2);
  ASSERT_NO_FATAL_FAILURE(startWith({"loaded"}));
  const LoadReport report = loadWhile({{5, [&] { apply("v2", 2); }}, {12, [&] { apply("v3", 2); }}, {19, [&] { apply("v4", 2); }}});
  std::cout << report.summary() << "\n";
  EXPECT_EQ(report.failed, 0) << report.summary();
  EXPECT_EQ(report.sent, 15'000);
  EXPECT_THAT(body(local.get("/loaded")), HasSubstr(" v4")) << "the updates did happen";
}

TEST_F(UnderLoad, ScalingUpAndDownLosesNoRequest) {
  apply("v1", 4);
  ASSERT_NO_FATAL_FAILURE(startWith({"loaded"}));
  const LoadReport report = loadWhile({{5, [&] { apply("v1", 1); }}, {12, [&] { apply("v1", 4); }}, {19, [&] { apply("v1", 1); }}});
  std::cout << report.summary() << "\n";
  EXPECT_EQ(report.failed, 0) << report.summary();
  EXPECT_EQ(report.sent, 15'000);
  EXPECT_TRUE(waitUntil([&] { return local.shims("loaded").size() == 1; }, 45s)) << describe(local.tree());
}

}  // namespace
}  // namespace pilotlight::test
