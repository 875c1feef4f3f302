// What the owner of a limited function's slots knows of one replica: which tickets are out, and what else runs there.
//
// A slot is free when the request that had it has certainly ended: whoever held the ticket says so, or the replica does. A
// ticket whose holder is gone, or was not told the end, is in doubt until the replica has answered. Pure; no lock.
#pragma once

#include <boost/container/flat_set.hpp>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "api/ticket.h"

namespace pilotlight::core {

/// What a replica answers: contract::kTicketsPath.
struct RunningTickets {
  std::vector<contract::Ticket> tickets;
  int others = 0;  ///< that run without a ticket
};
std::optional<RunningTickets> parseRunningTickets(std::string_view text);

class SlotBook {
 public:
  void grant(std::int64_t number) { live_.insert(live_.end(), number); }
  /// True: the slot is free. False: the replica has to be asked, or it was no ticket of this book.
  bool end(std::int64_t number, bool certainly);

  /// The replica is about to be asked; the lowest number that it may begin from then on.
  std::int64_t ask();
  /// Its answer, to the last ask(). Returns how many slots more are taken than before: less than 0: came free.
  int answer(std::int64_t epoch, const RunningTickets& running);
  /// It can't be asked now: as if `limit` requests ran there. Returns as answer() does.
  int unanswered(int limit);
  /// Nothing runs there any more, or it is no longer ours to count. Returns as answer() does.
  int clear();

  bool inDoubt() const { return !doubted_.empty() || foreign_ > 0; }  ///< ask again
  int taken() const { return static_cast<int>(live_.size() + doubted_.size()) + foreign_; }

 private:
  using Numbers = boost::container::flat_set<std::int64_t>;
  Numbers live_;            // held by requests under way
  Numbers doubted_;         // ended or not: nobody here knows
  Numbers endedMeanwhile_;  // after ask(): an answer may still tell of them
  int foreign_ = 0;         // not granted by this owner
};

}  // namespace pilotlight::core
