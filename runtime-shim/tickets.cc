#include "runtime-shim/tickets.h"

#include <algorithm>

namespace pilotlight::shim {

std::string_view Tickets::refuses(const contract::Ticket& ticket) const {
  // Also of the owner's who is known elsewhere but has not been here: what it granted at a former life of this replica.
  if (ticket.epoch != lowest_.epoch) return "ticket";
  return ticket < lowest_ ? "fenced" : "";
}

void Tickets::began(const contract::Ticket& ticket) {
  if (ticket) running_.push_back(ticket);
}

void Tickets::ended(const contract::Ticket& ticket) {
  if (!ticket) return;
  const auto found = std::ranges::find(running_, ticket);
  if (found == running_.end()) return;
  *found = running_.back();
  running_.pop_back();
}

bool Tickets::fence(const contract::Ticket& lowest) {
  if (lowest.epoch < lowest_.epoch) return false;
  lowest_ = std::max(lowest_, lowest);
  return true;
}

bool Tickets::lift(const contract::Ticket& by) {
  if (by.epoch < lowest_.epoch) return false;
  lowest_ = {};
  return true;
}

std::string Tickets::text(std::size_t inFlight) const {
  std::string text = std::to_string(inFlight - running_.size());
  for (const contract::Ticket& ticket : running_) text.append(" ").append(contract::toString(ticket));
  return text + "\n";
}

}  // namespace pilotlight::shim
