#include "runtime-shim/metrics.h"

#include <algorithm>
#include <cstdio>

namespace pilotlight::shim {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP pilotlight_shim_").append(name).append(" ").append(help).append("\n");
  out.append("# TYPE pilotlight_shim_").append(name).append(" ").append(type).append("\n");
}

void line(std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
  out.append("pilotlight_shim_").append(name).append(labels).append(" ").append(value).append("\n");
}

}  // namespace

void Metrics::request(int code, Duration duration) {
  ++codes_[static_cast<std::size_t>(std::clamp(code, 0, 599))];
  double seconds = std::chrono::duration<double>(duration).count();
  ++buckets_[static_cast<std::size_t>(std::ranges::lower_bound(kBounds, seconds) - kBounds.begin())];
  sum_ += seconds;
  ++count_;
}

std::string Metrics::text(const Gauges& gauges) const {
  std::string out;
  head(out, "requests_total", "counter", "Requests given to the handler, by status code; 0: cut before a status was sent.");
  for (std::size_t code = 0; code < codes_.size(); ++code) {
    if (codes_[code] != 0) line(out, "requests_total", "{code=\"" + std::to_string(code) + "\"}", std::to_string(codes_[code]));
  }
  head(out, "request_duration_seconds", "histogram", "From the request's head to the end of its answer.");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += buckets_[i];
    line(out, "request_duration_seconds_bucket", "{le=\"" + number(kBounds[i]) + "\"}", std::to_string(below));
  }
  line(out, "request_duration_seconds_bucket", "{le=\"+Inf\"}", std::to_string(count_));
  line(out, "request_duration_seconds_sum", "", number(sum_));
  line(out, "request_duration_seconds_count", "", std::to_string(count_));
  head(out, "refused_total", "counter", "Requests refused before the handler saw them.");
  for (const auto& [reason, count] : refused_) line(out, "refused_total", "{reason=\"" + reason + "\"}", std::to_string(count));
  head(out, "in_flight", "gauge", "Slots in use.");
  line(out, "in_flight", "", std::to_string(gauges.inFlight));
  head(out, "concurrency_limit", "gauge", "Slots of this replica.");
  line(out, "concurrency_limit", "", std::to_string(gauges.limit));
  head(out, "ready", "gauge", "1 while requests are taken.");
  line(out, "ready", "", gauges.ready ? "1" : "0");
  head(out, "parked", "gauge", "1 while there is no handler until a request needs it.");
  line(out, "parked", "", gauges.parked ? "1" : "0");
  head(out, "draining", "gauge", "1 from the first SIGTERM on.");
  line(out, "draining", "", gauges.draining ? "1" : "0");
  head(out, "handler_restarts_total", "counter", "How often the handler was started again after it ended.");
  line(out, "handler_restarts_total", "", std::to_string(restarts_));
  head(out, "handler_start_seconds", "gauge", "From starting the handler to its being ready, the last time.");
  line(out, "handler_start_seconds", "", number(startSeconds_));
  return out;
}

}  // namespace pilotlight::shim
