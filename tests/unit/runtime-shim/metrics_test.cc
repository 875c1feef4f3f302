#include "runtime-shim/metrics.h"

#include <gmock/gmock.h>

#include "runtime-shim/backoff.h"

namespace pilotlight::shim {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(MetricsTest, CountsRequestsByCodeAndDuration) {
  Metrics metrics;
  metrics.request(200, milliseconds(1));
  metrics.request(200, milliseconds(3));
  metrics.request(504, std::chrono::seconds(100));
  metrics.refused("concurrency");
  metrics.handlerRestarts(2);
  std::string text = metrics.text({1, 80, true, false, false});
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_requests_total{code=\"200\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_request_duration_seconds_bucket{le=\"0.001\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_request_duration_seconds_bucket{le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_request_duration_seconds_bucket{le=\"60\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_request_duration_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_request_duration_seconds_sum 100.004\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_refused_total{reason=\"concurrency\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_refused_total{reason=\"draining\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_in_flight 1\n"));
  EXPECT_THAT(text, HasSubstr("pilotlight_shim_handler_restarts_total 2\n"));
}

TEST(RestartBackoffTest, DoublesUpToTenSecondsAndStartsAgainAfterAStableTime) {
  RestartBackoff backoff{Settings{}};
  RestartBackoff::TimePoint now{};
  std::vector<milliseconds> delays;
  for (int i = 0; i < 12; ++i) {
    backoff.started(now);
    delays.push_back(backoff.ended(now += std::chrono::seconds(1)));
  }
  EXPECT_EQ(delays[0], milliseconds(10));
  EXPECT_EQ(delays[3], milliseconds(80));
  EXPECT_EQ(delays[11], milliseconds(10'000));
  backoff.started(now);
  EXPECT_EQ(backoff.ended(now + std::chrono::seconds(10)), milliseconds(10));
}

}  // namespace
}  // namespace pilotlight::shim
