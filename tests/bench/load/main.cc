// bench-load: makes requests, counts the answers, and, with --backend, is the server behind what it measures: both in one
// loop, since they share one core and a switch between two processes would cost more than they do.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/bench/load/options.h"

namespace pilotlight::bench {
namespace {

using Json = nlohmann::ordered_json;
using Seconds = std::chrono::duration<double>;

constexpr Seconds kDrain{2};

/// CPU seconds used so far, by this process and by those watched (with all their threads).
struct Usage {
  TimePoint at;
  double own = 0;
  std::vector<double> watched;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpuSeconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

class Run {
 public:
  explicit Run(const LoadOptions& options) : options_(options), backend_(poller_) {
    for (const StreamOptions& stream : options.streams) streams_.push_back(std::make_unique<Stream>(poller_, stream));
    for (const StreamOptions& stream : options.streams) bounded_ = bounded_ || stream.limit > 0;
  }

  bool listen() {
    for (const BackendAddress& address : options_.backends) {
      const auto listening = backend_.listen(address);
      if (listening) continue;
      std::fprintf(stderr, "bench-load: %s\n", listening.error().c_str());
      return false;
    }
    return true;
  }

  void run() {
    const TimePoint start = Clock::now();
    const auto begin = bounded_ ? start : after(start, options_.warmup);
    const auto end = after(begin, options_.seconds);
    if (bounded_) begun_ = usage();
    for (auto& stream : streams_) stream->start({begin, end}, start);
    if (!bounded_) {
      turn(begin, [] { return false; });
      begun_ = usage();
    }
    turn(end, [this] { return bounded_ && finished(); });
    ended_ = usage();
    for (auto& stream : streams_) stream->stop(Clock::now());
    turn(after(Clock::now(), kDrain), [this] { return finished(); });
    for (auto& stream : streams_) stream->giveUp();
  }

  /// Until standard input ends.
  void hold() {
    struct Input final : Watcher {
      bool ended = false;
      void onEvents(std::uint32_t) override {
        char byte;
        ended = ::read(STDIN_FILENO, &byte, 1) <= 0;
      }
    } input;
    poller_.add(STDIN_FILENO, EPOLLIN, input);
    turn(TimePoint::max(), [&] { return input.ended; });
  }

  Json report() const {
    Json watched = Json::object();
    for (std::size_t i = 0; i < options_.watched.size(); ++i) watched[options_.watched[i].name] = ended_.watched[i] - begun_.watched[i];
    Json streams = Json::array();
    for (const auto& stream : streams_) streams.push_back(reportOf(*stream));
    return {{"seconds", elapsed()},
            {"cpu_seconds", ended_.own - begun_.own},
            {"watched_cpu_seconds", watched},
            {"backend_over_limit", backend_.overLimit()},
            {"streams", streams}};
  }

 private:
  static TimePoint after(TimePoint from, Seconds time) { return from + std::chrono::duration_cast<Clock::duration>(time); }
  double elapsed() const { return Seconds(ended_.at - begun_.at).count(); }

  template <class Done>
  void turn(TimePoint until, Done done) {
    for (TimePoint now = Clock::now(); now < until && !done(); now = Clock::now()) {
      backend_.onTime(now);
      TimePoint due = std::min(until, backend_.nextDue());
      for (auto& stream : streams_) {
        stream->onTime(now);
        due = std::min(due, stream->nextDue());
      }
      poller_.wait(due);
    }
  }

  bool finished() const {
    return std::ranges::all_of(streams_, [](const auto& stream) { return stream->finished(); });
  }

  Usage usage() const {
    rusage own{};
    ::getrusage(RUSAGE_SELF, &own);
    Usage usage{Clock::now(), seconds(own.ru_utime) + seconds(own.ru_stime), {}};
    for (const Watched& watched : options_.watched) {
      double& sum = usage.watched.emplace_back(0);
      for (const pid_t pid : watched.pids) sum += cpuSeconds(pid);
    }
    return usage;
  }

  static Json quantiles(const Histogram& histogram) {
    return {{"count", histogram.count()},
            {"p50_us", histogram.micros(0.5)},
            {"p90_us", histogram.micros(0.9)},
            {"p99_us", histogram.micros(0.99)},
            {"max_us", histogram.maxMicros()}};
  }

  Json reportOf(const Stream& stream) const {
    const Tally& tally = stream.tally();
    const std::uint64_t requests = tally.answered.count() + tally.refused.count();
    Json statuses = Json::object();
    for (const auto& [status, count] : tally.statuses) statuses[std::to_string(status)] = count;
    return {{"requests", requests},
            {"requests_per_second", static_cast<double>(requests) / elapsed()},
            {"statuses", statuses},
            {"failures", tally.failures},
            {"lost", tally.lost},
            {"open_connections", stream.openConnections()},
            {"answered", quantiles(tally.answered)},
            {"refused", quantiles(tally.refused)}};
  }

  const LoadOptions& options_;
  Poller poller_;
  Backend backend_;
  std::vector<std::unique_ptr<Stream>> streams_;
  bool bounded_ = false;  // by a number of requests
  Usage begun_, ended_;
};

}  // namespace
}  // namespace pilotlight::bench

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  const auto options = parseLoadOptions({argv + 1, argv + argc});
  if (!options) {
    std::fprintf(stderr, "bench-load: %s\n%s", options.error().c_str(), kLoadUsage);
    return 2;
  }
  runOnCpu(options->cpu);
  raiseFileLimit();
  Run run(*options);
  if (!run.listen()) return 1;
  run.run();
  std::puts(run.report().dump().c_str());
  std::fflush(stdout);
  if (options->hold) run.hold();
  return 0;
}
