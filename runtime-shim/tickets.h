// The tickets of a limited function's requests, as a replica sees them: which may begin, and which run. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "api/ticket.h"

namespace pilotlight::shim {

class Tickets {
 public:
  /// Empty: it may begin. Else why not: `ticket` or `fenced`.
  std::string_view refuses(const contract::Ticket& ticket) const;
  void began(const contract::Ticket& ticket);
  void ended(const contract::Ticket& ticket);

  /// From now on nothing lower begins, nor without a ticket. False: a later owner has said so before; nothing has changed.
  bool fence(const contract::Ticket& lowest);
  /// Requests need no ticket any more. False: as above.
  bool lift(const contract::Ticket& by);
  const contract::Ticket& lowest() const { return lowest_; }  ///< no epoch: nobody has asked yet
  /// What runs, `inFlight` in all: see contract::kTicketsPath.
  std::string text(std::size_t inFlight) const;

 private:
  contract::Ticket lowest_;
  std::vector<contract::Ticket> running_;  // in no order
};

}  // namespace pilotlight::shim
