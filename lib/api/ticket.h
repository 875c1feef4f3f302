// A slot of a limited function, for one request. No dependencies: the static shim includes it.
//
// The gateway that owns a function's slots numbers what it grants, and each owner has a higher epoch than the one before. A
// replica that was told a ticket by POST contract::kTicketsPath begins no request whose ticket is lower: so an owner that came to know what
// runs knows all that will ever run of what was granted before.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pilotlight::contract {

struct Ticket {
  std::int64_t epoch = 0;  ///< of the owner; 0: none was needed
  std::int64_t number = 0;
  explicit operator bool() const { return epoch != 0; }
  auto operator<=>(const Ticket&) const = default;
};

inline std::string toString(const Ticket& ticket) {
  return std::to_string(ticket.epoch) + "." + std::to_string(ticket.number);
}

inline std::optional<Ticket> parseTicket(std::string_view text) {
  Ticket ticket;
  const char *const begin = text.data(), *const end = begin + text.size();
  const auto epoch = std::from_chars(begin, end, ticket.epoch);
  if (epoch.ec != std::errc() || epoch.ptr == end || *epoch.ptr != '.' || ticket.epoch <= 0) return std::nullopt;
  const auto number = std::from_chars(epoch.ptr + 1, end, ticket.number);
  if (number.ec != std::errc() || number.ptr != end || ticket.number < 0) return std::nullopt;
  return ticket;
}

}  // namespace pilotlight::contract
