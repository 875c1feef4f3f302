// Many requests at once to a function at zero, and the way back to zero.
#include <algorithm>
#include <map>
#include <set>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class Burst : public LocalTest {
 protected:
  // All at once; each request carries a label of its own.
  std::vector<HttpResult> burst(const std::string& function, int count, int milliseconds, std::chrono::milliseconds timeout) const {
    std::vector<HttpRequest> requests;
    for (int i = 0; i < count; ++i) {
      requests.push_back({.method = "POST",
                          .target = "/" + function + "?ms=" + std::to_string(milliseconds),
                          .body = "x",
                          .headers = {{"X-Request-Label", "r" + std::to_string(i)}},
                          .timeout = timeout});
    }
    return fetchAll(local.port(), requests);
  }

  // How often the handler saw each label.
  std::map<std::string, int> seen(const std::string& function) const {
    std::map<std::string, int> counts;
    for (const std::string& line : readLines(local.record(function))) ++counts[line.substr(0, line.find(' '))];
    return counts;
  }

  std::set<std::string> replicasOf(const std::string& function) const {
    std::set<std::string> pids;
    for (const std::string& line : readLines(local.record(function))) {
      if (line != "OVERLAP") pids.insert(line.substr(line.find(' ') + 1));
    }
    return pids;
  }

  // 200: seen exactly once; a refusal: never seen.
  void expectExactlyOnce(const std::vector<HttpResult>& results, const std::map<std::string, int>& counts) const {
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string label = "r" + std::to_string(i);
      const auto found = counts.find(label);
      const int times = found == counts.end() ? 0 : found->second;
      EXPECT_EQ(times, status(results[i]) == 200 ? 1 : 0) << label << ": " << status(results[i]) << " " << body(results[i]);
    }
    EXPECT_FALSE(counts.contains("OVERLAP")) << "a replica had more requests at once than perReplica";
  }

  int replicas(const std::string& name) const { return local.function(name).value("/status/replicas"_json_pointer, -1); }
};

const std::string kOneEach = "    - {name: RECORD_LIMIT, value: \"1\"}\n";

TEST_F(Burst, TwoHundredRequestsAtZeroAreEachAnsweredExactlyOnce) {
  local.addRecorder("burst", kOneEach +
                                 "  concurrency: {perReplica: 1, queue: {requests: 1000, wait: 60s}}\n"
                                 "  scale: {initial: 0, max: 8}\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"burst"}));
  const std::vector<HttpResult> results = burst("burst", 200, 20, 60s);
  EXPECT_EQ(std::count_if(results.begin(), results.end(), [](const HttpResult& r) { return status(r) == 200; }), 200);
  expectExactlyOnce(results, seen("burst"));
  EXPECT_GE(replicasOf("burst").size(), 2u);
  EXPECT_LE(replicasOf("burst").size(), 8u);
}

TEST_F(Burst, PastTheQueueBoundItIs429WithRetryAfterAndTheOthersAreAnsweredOnce) {
  local.addRecorder("bounded", kOneEach +
                                   "  concurrency: {perReplica: 1, queue: {requests: 50, wait: 60s}}\n"
                                   "  scale: {initial: 0, max: 8}\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"bounded"}));
  const std::vector<HttpResult> results = burst("bounded", 200, 50, 60s);
  const auto count = [&](int code) {
    return std::count_if(results.begin(), results.end(), [&](const HttpResult& r) { return status(r) == code; });
  };
  EXPECT_EQ(count(200) + count(429), 200);
  EXPECT_GE(count(200), 50);
  EXPECT_GT(count(429), 0);
  expectExactlyOnce(results, seen("bounded"));
  for (const HttpResult& result : results) {
    if (status(result) != 429) continue;
    EXPECT_NE(result->header("retry-after"), "");
    EXPECT_TRUE(json::parse(result->body, nullptr, false).is_object()) << result->body;
  }
}

TEST_F(Burst, AWaitLongerThanTheQueueAllowsEndsInTime) {
  local.addRecorder("slow", kOneEach + "    - {name: GATE_FILE, value: \"" + local.gate("slow").string() + "\"}\n" +
                                "  concurrency: {perReplica: 1, queue: {wait: 1s}}\n  scale: {initial: 0}\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"slow"}));
  const auto begin = std::chrono::steady_clock::now();
  const HttpResult result = local.get("/slow");
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_THAT(status(result), ::testing::AnyOf(503, 504)) << body(result);
  EXPECT_GE(took, 1s);
  EXPECT_LT(took, 5s);
  EXPECT_NE(result ? result->header("retry-after") : "", "");
}

TEST_F(Burst, ReplicasGoFromZeroToManyWithLoadAndBackToZero) {
  local.addRecorder("wave", "  concurrency: {perReplica: 1, target: 100}\n  scale: {initial: 0, max: 4, toZeroAfter: 1s}\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"wave"}));
  EXPECT_EQ(replicas("wave"), 0);
  EXPECT_EQ(status(local.get("/wave")), 200);
  EXPECT_EQ(local.shims("wave").size(), 1u);
  for (const HttpResult& result : burst("wave", 16, 200, 60s)) EXPECT_EQ(status(result), 200) << body(result);
  EXPECT_GE(replicasOf("wave").size(), 2u);
  EXPECT_LE(replicasOf("wave").size(), 5u);  // the first one, and up to max
  EXPECT_TRUE(waitUntil([&] { return replicas("wave") == 0 && local.shims("wave").empty(); }, 90s))
      << local.function("wave").dump(2) << describe(local.tree());
  EXPECT_EQ(status(local.get("/wave")), 200) << "and up again";
}

}  // namespace
}  // namespace pilotlight::test
