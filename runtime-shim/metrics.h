// The shim's counters in Prometheus' text format. Loop thread only.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace pilotlight::shim {

class Metrics {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// An answered request: `code` 0 means that the client went away or the connection was cut before there was a status.
  void request(int code, Duration duration);
  void refused(std::string_view reason) { ++refused_[std::string(reason)]; }
  void handlerRestarts(std::uint64_t total) { restarts_ = total; }
  /// How long the handler took from being started to being ready, the last time.
  void handlerStarted(Duration duration) { startSeconds_ = std::chrono::duration<double>(duration).count(); }

  struct Gauges {
    std::size_t inFlight = 0, limit = 0;
    bool ready = false, parked = false, draining = false;
  };
  std::string text(const Gauges& gauges) const;

 private:
  static constexpr std::array kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0};
  std::array<std::uint64_t, 600> codes_{};
  std::map<std::string, std::uint64_t> refused_ = {{"concurrency", 0}, {"draining", 0}, {"parked", 0}, {"starting", 0}};
  std::array<std::uint64_t, kBounds.size() + 1> buckets_{};
  double sum_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t restarts_ = 0;
  double startSeconds_ = 0;
};

}  // namespace pilotlight::shim
