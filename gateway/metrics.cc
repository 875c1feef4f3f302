#include "gateway/metrics.h"

#include <charconv>
#include <string_view>

#include "tls/store.h"

namespace pilotlight::gateway {

namespace {

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  template <class Number>
  void sample(std::string_view name, std::string_view labels, Number value) {
    out.append(name);
    if (!labels.empty()) out.append("{").append(labels).append("}");
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value);
    out.append(" ").append(text, static_cast<std::size_t>(end.ptr - text)).append("\n");
  }
  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(name, "", value);
  }
  std::string out;
};

// Names of namespaces and functions are DNS labels: nothing to escape.
std::string labelsOf(const FunctionEntry& entry) {
  return "namespace=\"" + entry.key().namespace_ + "\",function=\"" + entry.key().name + "\"";
}

template <class Each>
void forEach(const std::vector<std::shared_ptr<FunctionEntry>>& entries, Each each) {
  for (const auto& entry : entries)
    if (entry->used()) each(*entry, entry->counters(), labelsOf(*entry));
}

std::uint64_t read(const std::atomic<std::uint64_t>& value) {
  return value.load(std::memory_order_relaxed);
}

void histogram(Text& text, const std::string& name, const std::string& labels, const FunctionCounters::Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= FunctionCounters::kBounds.size(); ++i) {
    total += read(histogram.buckets[i]);
    char bound[32] = "+Inf";
    if (i < FunctionCounters::kBounds.size()) *std::to_chars(bound, bound + sizeof bound - 1, FunctionCounters::kBounds[i]).ptr = '\0';
    text.sample(name + "_bucket", labels + ",le=\"" + bound + "\"", total);
  }
  text.sample(name + "_sum", labels, static_cast<double>(read(histogram.micros)) / 1e6);
  text.sample(name + "_count", labels, total);
}

void poolMetrics(Text& text, const Pool::Counts& pool) {
  if (pool.size > 0) {
    text.family("pilotlight_gateway_pool_slots", "gauge",
                "Requests at once: those reserved by functions, and those left for the others to share. "
                "More than pilotlight_gateway_pool_size together: too much is reserved.");
    text.sample("pilotlight_gateway_pool_slots", "kind=\"reserved\"", pool.reserved);
    text.sample("pilotlight_gateway_pool_slots", "kind=\"shared\"", pool.shared);
    text.single("pilotlight_gateway_pool_size", "gauge", "Requests at once of all functions, as configured.", pool.size);
  }
  text.single("pilotlight_gateway_pool_taken", "gauge", "Requests at a replica that hold a shared slot.", pool.taken);
  text.single("pilotlight_gateway_pool_waiting_functions", "gauge", "Functions with a replica free and no shared slot.", pool.waiting);
}

void memoryMetrics(Text& text, const MemoryGuard::Counts& memory) {
  if (memory.limit == 0) return;
  text.single("pilotlight_gateway_memory_used_bytes", "gauge", "Memory that counts towards the limit.", memory.used);
  text.single("pilotlight_gateway_memory_limit_bytes", "gauge", "What may be used; near it requests are refused.", memory.limit);
  text.single("pilotlight_gateway_memory_refusing", "gauge", "1 while requests are refused for want of memory.", memory.refusing ? 1 : 0);
  text.single("pilotlight_gateway_memory_refused_total", "counter", "Requests refused for want of memory.", memory.refused);
}

/// In the order of net::TlsOutcome.
constexpr std::array<std::string_view, net::kTlsOutcomes> kHandshakes{"full",    "resumed", "gone",     "timeout", "crowded", "not_tls",
                                                                      "version", "cipher",  "protocol", "refused", "broken"};

void tlsMetrics(Text& text, const tls::Store& store) {
  text.family("pilotlight_gateway_tls_handshakes_total", "counter",
              "Handshakes that have ended: full and resumed ones succeeded, the others tell why not.");
  const auto outcomes = store.outcomes();
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    text.sample("pilotlight_gateway_tls_handshakes_total", "outcome=\"" + std::string(kHandshakes[i]) + "\"", outcomes[i]);
  const auto states = store.states();
  text.family("pilotlight_gateway_tls_certificate_expiry_timestamp_seconds", "gauge", "When the certificate in use expires.");
  for (const auto& state : states)
    text.sample("pilotlight_gateway_tls_certificate_expiry_timestamp_seconds", "certificate=\"" + state.name + "\"",
                state.expires.time_since_epoch().count());
  text.family("pilotlight_gateway_tls_certificate_refused", "gauge", "1 while what lies in its files can't be used, and an older one is.");
  for (const auto& state : states)
    text.sample("pilotlight_gateway_tls_certificate_refused", "certificate=\"" + state.name + "\"", state.refused ? 1 : 0);
}

void callHomeMetrics(Text& text, const CallHomeCounts& counts) {
  const std::string calls = "pilotlight_gateway_registrations_total", passed = "pilotlight_gateway_registrations_passed_on_total";
  text.family(calls, "counter", "Replicas that have told that they take requests, themselves or through another gateway.");
  const auto outcomes = [&](const char* from, const CallHomeCounts::Outcomes& of) {
    for (std::size_t i = 0; i < of.size(); ++i)
      text.sample(calls, std::string("from=\"") + from + "\",outcome=\"" + CallHomeCounts::kOutcomes[i] + "\"", read(of[i]));
  };
  outcomes("shim", counts.fromShims);
  outcomes("gateway", counts.fromGateways);
  text.family(passed, "counter", "What other gateways were told of such replicas; those that failed learn from the API.");
  text.sample(passed, "outcome=\"taken\"", read(counts.passedOn));
  text.sample(passed, "outcome=\"failed\"", read(counts.notPassedOn));
}

void coldStartMetrics(Text& text, const ColdStartHistograms& phases) {
  const std::string name = "pilotlight_gateway_cold_start_phase_seconds";
  text.family(name, "histogram", "Parts of the time from a request that found no replica to the first byte of its answer.");
  for (std::size_t i = 0; i < phases.size(); ++i)
    histogram(text, name, std::string("phase=\"") + core::kColdStartPhases[i] + "\"", phases[i]);
}

}  // namespace

std::string renderMetrics(const std::vector<std::shared_ptr<FunctionEntry>>& entries, const GatewayCounts& counts) {
  Text text;
  text.family("pilotlight_gateway_requests_total", "counter",
              "Requests that have ended, by status; 499: the client left before an answer.");
  forEach(entries, [&](const FunctionEntry&, const FunctionCounters& counters, const std::string& labels) {
    counters.byStatus.forEach([&](int status, std::uint64_t count) {
      const std::string code = status ? std::to_string(status) : "other";
      text.sample("pilotlight_gateway_requests_total", labels + ",code=\"" + code + "\"", count);
    });
  });
  using H = FunctionCounters::Histogram;
  const auto histograms = [&](const std::string& name, std::string_view help, const H FunctionCounters::* member) {
    text.family(name, "histogram", help);
    forEach(entries, [&](const FunctionEntry&, const FunctionCounters& counters, const std::string& labels) {
      histogram(text, name, labels, counters.*member);
    });
  };
  histograms("pilotlight_gateway_request_duration_seconds", "From the end of the request's head to the end of the answer.",
             &FunctionCounters::duration);
  histograms("pilotlight_gateway_queue_wait_seconds", "Time that requests were held before they went to a replica.",
             &FunctionCounters::queueWait);
  histograms("pilotlight_gateway_cold_start_seconds", "From a request that found no replica to the first byte of its answer.",
             &FunctionCounters::coldStart);
  text.family("pilotlight_gateway_rejected_total", "counter", "Requests refused by a limit.");
  forEach(entries, [&](const FunctionEntry&, const FunctionCounters& counters, const std::string& labels) {
    static constexpr const char* kNames[] = {"queue.requests", "queue.bytes", "queue.wait", "reserved", "pool"};
    for (std::size_t i = 0; i < counters.rejected.size(); ++i)
      text.sample("pilotlight_gateway_rejected_total", labels + ",limit=\"" + kNames[i] + "\"", read(counters.rejected[i]));
  });
  const auto plain = [&](const std::string& name, std::string_view help, const std::atomic<std::uint64_t> FunctionCounters::* member) {
    text.family(name, "counter", help);
    forEach(entries, [&](const FunctionEntry&, const FunctionCounters& counters, const std::string& labels) {
      text.sample(name, labels, read(counters.*member));
    });
  };
  plain("pilotlight_gateway_retries_total", "Attempts after the first.", &FunctionCounters::retries);
  plain("pilotlight_gateway_upstream_failures_total", "Connections to replicas that failed or broke.", &FunctionCounters::upstreamFailures);
  plain("pilotlight_gateway_client_gone_total", "Requests whose client left before the answer was complete.",
        &FunctionCounters::clientGone);
  plain("pilotlight_gateway_lights_total", "Parked replicas that requests needed and got lit.", &FunctionCounters::lights);
  plain("pilotlight_gateway_handed_total", "Requests of functions with a reservation that asked another gateway for their slot.",
        &FunctionCounters::handed);
  plain("pilotlight_gateway_pool_waits_total", "Requests that had a replica and were held because the pool was full.",
        &FunctionCounters::poolWaits);
  const auto gauge = [&](const std::string& name, std::string_view help, int core::FunctionLoad::* member) {
    text.family(name, "gauge", help);
    forEach(entries, [&](const FunctionEntry& entry, const FunctionCounters&, const std::string& labels) {
      text.sample(name, labels, entry.load().*member);
    });
  };
  gauge("pilotlight_gateway_in_flight", "Requests at a replica.", &core::FunctionLoad::inFlight);
  gauge("pilotlight_gateway_queued", "Requests held.", &core::FunctionLoad::queued);
  text.family("pilotlight_gateway_replicas", "gauge", "Replicas that requests are sent to.");
  forEach(entries, [&](const FunctionEntry& entry, const FunctionCounters&, const std::string& labels) {
    text.sample("pilotlight_gateway_replicas", labels, entry.replicas());
  });
  text.family("pilotlight_gateway_parked_replicas", "gauge", "Replicas without a handler until they are lit.");
  forEach(entries, [&](const FunctionEntry& entry, const FunctionCounters&, const std::string& labels) {
    text.sample("pilotlight_gateway_parked_replicas", labels, entry.dark());
  });
  poolMetrics(text, counts.pool);
  memoryMetrics(text, counts.memory);
  if (counts.tls != nullptr) tlsMetrics(text, *counts.tls);
  text.single("pilotlight_gateway_functions", "gauge", "Functions known.", counts.functions);
  text.single("pilotlight_gateway_known_gateways", "gauge", "Gateways known, with this one.", counts.gateways);
  text.single("pilotlight_gateway_unrouted_total", "counter", "Requests that no function's route took.", counts.unrouted);
  if (counts.wakeSent != nullptr && counts.wakeAnswered != nullptr) {
    text.family("pilotlight_gateway_wake_seconds", "histogram",
                "From a request that found no replica to the write that raises its Deployment, and to the API's answer.");
    histogram(text, "pilotlight_gateway_wake_seconds", "phase=\"sent\"", *counts.wakeSent);
    histogram(text, "pilotlight_gateway_wake_seconds", "phase=\"answered\"", *counts.wakeAnswered);
  }
  if (counts.coldStarts != nullptr) coldStartMetrics(text, *counts.coldStarts);
  if (counts.callHome != nullptr) callHomeMetrics(text, *counts.callHome);
  text.single("pilotlight_gateway_wake_patches_total", "counter", "Deployments raised from zero.", counts.wakePatches);
  text.single("pilotlight_gateway_access_log_dropped_total", "counter", "Log lines dropped because the writer was behind.",
              counts.accessLogDropped);
  text.single("pilotlight_gateway_owner_moves_total", "counter",
              "Times that this gateway became the one that gives out a function's slots, or counts what waits for it.", counts.ownerMoves);
  text.single("pilotlight_gateway_watch_restarts_total", "counter", "Relists of routes or pods after the first.", counts.watchRestarts);
  text.single("pilotlight_gateway_crashes_total", "counter", "Crashed gateways that this one took the place of, in the same container.",
              counts.crashes);
  return std::move(text.out);
}

}  // namespace pilotlight::gateway
