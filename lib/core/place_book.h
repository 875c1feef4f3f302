// How much of a function's queue each gateway may hold, so that all hold no more together than the function's bound: the book of
// the one that counts. docs/adr/0014.
//
// What a gateway has accepted stays, whatever the bound; new places are given while there are some. One that begins to count hears
// all others first, or waits until they had time enough. Pure; no lock.
#pragma once

#include <algorithm>
#include <boost/container/flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>

namespace pilotlight::core {

using TimePoint = std::chrono::steady_clock::time_point;

/// Requests that wait, and what holding them costs.
struct Waiting {
  std::int64_t requests = 0, bytes = 0;

  bool operator==(const Waiting&) const = default;
  Waiting operator+(const Waiting& more) const { return {requests + more.requests, bytes + more.bytes}; }
  Waiting operator-(const Waiting& less) const { return {requests - less.requests, bytes - less.bytes}; }
  bool fitsInto(const Waiting& room) const { return requests <= room.requests && bytes <= room.bytes; }
};
inline constexpr Waiting kAllMayWait{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()};

/// What one gateway has.
struct Claim {
  Waiting accepted;       ///< stays
  Waiting waits;          ///< with those
  std::int64_t last = 0;  ///< Waiter::number of the latest
};

class PlaceBook {
 public:
  using Holder = const void*;  ///< one gateway; the reader's own as well

  /// Nothing is known of anybody: `all`, by name, have until then to tell.
  void begin(std::set<std::string> all, TimePoint until);
  /// How much may wait there from now on, at least what it has accepted. Nothing: it is too early to tell; ask again.
  std::optional<Waiting> ask(Holder holder, const std::string& gateway, const Claim& claim, const Waiting& bound, TimePoint now);
  void leave(Holder holder);
  Waiting taken() const { return taken_; }

 private:
  boost::container::flat_map<Holder, Waiting> places_;
  Waiting taken_;  // of all
  std::set<std::string> awaited_;
  TimePoint until_{};
};

}  // namespace pilotlight::core
