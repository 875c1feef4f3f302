#include "core/place_book.h"

#include <utility>

namespace pilotlight::core {

namespace {

/// Of `wanted`, what there is room for.
std::int64_t grant(std::int64_t accepted, std::int64_t wanted, std::int64_t room) {
  return accepted + std::clamp(wanted - accepted, std::int64_t{0}, std::max(std::int64_t{0}, room - accepted));
}

}  // namespace

void PlaceBook::begin(std::set<std::string> all, TimePoint until) {
  places_.clear();
  taken_ = {};
  awaited_ = std::move(all);
  until_ = until;
}

std::optional<Waiting> PlaceBook::ask(Holder holder, const std::string& gateway, const Claim& claim, const Waiting& bound, TimePoint now) {
  awaited_.erase(gateway);
  if (now >= until_) awaited_.clear();
  const bool early = !awaited_.empty();
  Waiting& places = places_[holder];
  const Waiting room = bound - (taken_ - places);
  const Waiting given = early ? claim.accepted
                              : Waiting{grant(claim.accepted.requests, claim.waits.requests, room.requests),
                                        grant(claim.accepted.bytes, claim.waits.bytes, room.bytes)};
  taken_ = taken_ - std::exchange(places, given) + given;
  return early ? std::nullopt : std::optional(given);
}

void PlaceBook::leave(Holder holder) {
  const auto found = places_.find(holder);
  if (found == places_.end()) return;
  taken_ = taken_ - found->second;
  places_.erase(found);
}

}  // namespace pilotlight::core
