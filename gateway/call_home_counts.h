// How calls home end: counted by event loops, read by whoever scrapes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace pilotlight::gateway {

struct CallHomeCounts {
  enum Outcome : std::size_t { taken, kept, malformed, unbelieved, foreign, contradicts, full };
  static constexpr std::array<const char*, 7> kOutcomes{"taken", "kept", "malformed", "unbelieved", "foreign", "contradicts", "full"};
  using Outcomes = std::array<std::atomic<std::uint64_t>, kOutcomes.size()>;
  Outcomes fromShims{}, fromGateways{};
  std::atomic<std::uint64_t> passedOn{0}, notPassedOn{0};  // to one other gateway each
};

}  // namespace pilotlight::gateway
