#include "core/slot_book.h"

#include <algorithm>
#include <charconv>

namespace pilotlight::core {

std::optional<RunningTickets> parseRunningTickets(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto word = [&] {
    const std::string_view first = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), first.size() + 1));
    return first;
  };
  RunningTickets running;
  const std::string_view count = word();
  const auto read = std::from_chars(count.data(), count.data() + count.size(), running.others);
  if (read.ec != std::errc() || read.ptr != count.data() + count.size() || running.others < 0) return std::nullopt;
  while (!text.empty()) {
    const auto ticket = contract::parseTicket(word());
    if (!ticket) return std::nullopt;
    running.tickets.push_back(*ticket);
  }
  return running;
}

bool SlotBook::end(std::int64_t number, bool certainly) {
  if (live_.erase(number) == 0) return false;
  (certainly ? endedMeanwhile_ : doubted_).insert(number);
  return certainly;
}

std::int64_t SlotBook::ask() {
  endedMeanwhile_.clear();
  return doubted_.empty() ? 0 : *doubted_.rbegin() + 1;
}

int SlotBook::answer(std::int64_t epoch, const RunningTickets& running) {
  const int before = taken();
  Numbers still;
  foreign_ = running.others;
  for (const contract::Ticket& ticket : running.tickets) {
    const bool own = ticket.epoch == epoch;
    if (own && doubted_.contains(ticket.number))
      still.insert(ticket.number);
    else if (!own || !(live_.contains(ticket.number) || endedMeanwhile_.contains(ticket.number)))
      ++foreign_;
  }
  doubted_ = std::move(still);
  return taken() - before;
}

int SlotBook::unanswered(int limit) {
  const int before = taken();
  foreign_ = std::max(foreign_, limit - static_cast<int>(live_.size() + doubted_.size()));
  return taken() - before;
}

int SlotBook::clear() {
  const int before = taken();
  *this = {};
  return -before;
}

}  // namespace pilotlight::core
