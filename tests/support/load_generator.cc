#include "tests/support/load_generator.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace pilotlight::test {

namespace {

using Clock = std::chrono::steady_clock;

class Run {
 public:
  explicit Run(const Load& load) : load_(load), total_(static_cast<int>(load.perSecond * load.duration.count() / 1000)) {}

  LoadReport go() {
    {
      std::vector<std::jthread> workers;
      for (int i = 0; i < load_.connections; ++i) workers.emplace_back([this] { work(); });
    }
    report_.sent = total_;
    std::sort(report_.latencies.begin(), report_.latencies.end());
    return std::move(report_);
  }

 private:
  void work() {
    HttpConnection connection(load_.port);
    for (int number = next_++; number < total_; number = next_++) {
      const Clock::time_point due = start_ + std::chrono::nanoseconds(1'000'000'000LL * number / load_.perSecond);
      std::this_thread::sleep_until(due);
      const HttpResult result = connection.send(load_.request(number));
      record(due, result);
    }
  }

  void record(Clock::time_point due, const HttpResult& result) {
    const std::lock_guard lock(mutex_);
    report_.latencies.push_back(std::chrono::duration<double, std::milli>(Clock::now() - due).count());
    if (result && result->status == 200) return;
    ++report_.failed;
    if (report_.failures.size() >= 20) return;
    char second[32];
    std::snprintf(second, sizeof second, "at %.3f s: ", std::chrono::duration<double>(due - start_).count());
    report_.failures.push_back(second + (result ? std::to_string(result->status) + " " + result->body : result.error()));
  }

  const Load& load_;
  const int total_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<int> next_ = 0;
  std::mutex mutex_;
  LoadReport report_;  // guarded by mutex_
};

}  // namespace

double LoadReport::percentile(double share) const {
  if (latencies.empty()) return 0;
  return latencies[std::min(latencies.size() - 1, static_cast<std::size_t>(share * static_cast<double>(latencies.size())))];
}

std::string LoadReport::summary() const {
  char text[160];
  std::snprintf(text, sizeof text, "%d sent, %d failed; latency ms p50 %.2f p99 %.2f max %.2f", sent, failed, percentile(0.5),
                percentile(0.99), latencies.empty() ? 0 : latencies.back());
  std::string all = text;
  for (const std::string& failure : failures) all += "\n  " + failure;
  return all;
}

LoadReport generateLoad(const Load& load) {
  return Run(load).go();
}

}  // namespace pilotlight::test
