#include "core/slot_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "runtime-shim/tickets.h"

namespace pilotlight::core {
namespace {

RunningTickets running(std::initializer_list<contract::Ticket> tickets, int others = 0) {
  return {tickets, others};
}

TEST(SlotBook, FreesASlotOnlyWhenItsRequestHasCertainlyEnded) {
  SlotBook book;
  book.grant(1);
  book.grant(2);
  EXPECT_TRUE(book.end(1, true));
  EXPECT_FALSE(book.end(2, false));
  EXPECT_FALSE(book.end(7, true)) << "nobody got it";
  EXPECT_EQ(book.taken(), 1);
  EXPECT_TRUE(book.inDoubt());
  EXPECT_EQ(book.ask(), 3) << "what the replica has not begun of what is in doubt never begins";
  EXPECT_EQ(book.answer(5, running({{5, 2}})), 0);
  EXPECT_TRUE(book.inDoubt());
  EXPECT_EQ(book.answer(5, running({})), -1);
  EXPECT_FALSE(book.inDoubt());
  EXPECT_EQ(book.taken(), 0);
}

TEST(SlotBook, CountsWhatOthersGrantedAndWhatRunsWithoutATicket) {
  SlotBook book;
  EXPECT_EQ(book.answer(5, running({{4, 9}, {4, 10}}, 1)), 3);
  EXPECT_TRUE(book.inDoubt());
  book.grant(1);
  EXPECT_EQ(book.answer(5, running({{4, 10}, {5, 1}})), -2);
  EXPECT_EQ(book.taken(), 2);
}

TEST(SlotBook, DoesNotTakeForForeignWhatEndedWhileTheReplicaAnswered) {
  SlotBook book;
  book.grant(1);
  book.ask();
  EXPECT_TRUE(book.end(1, true));
  EXPECT_EQ(book.answer(5, running({{5, 1}})), 0);
}

TEST(SlotBook, TakesAReplicaThatDoesNotAnswerForFull) {
  SlotBook book;
  book.grant(1);
  EXPECT_EQ(book.unanswered(10), 9);
  EXPECT_EQ(book.unanswered(10), 0);
  EXPECT_EQ(book.answer(5, running({})), -9);
  EXPECT_EQ(book.clear(), -1);
}

TEST(RunningTickets, AreReadAsTheShimWritesThem) {
  shim::Tickets tickets;
  ASSERT_TRUE(tickets.fence({4, 1}));
  tickets.began({4, 7});
  tickets.began({4, 8});
  const auto read = parseRunningTickets(tickets.text(5));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->others, 3);
  EXPECT_EQ(read->tickets, (std::vector<contract::Ticket>{{4, 7}, {4, 8}}));
  for (const char* bad : {"", "x", "-1", "1 4", "1 4.x", "1 0.1", "1  4.1"}) EXPECT_FALSE(parseRunningTickets(bad)) << bad;
}

TEST(ShimTickets, BeginNothingLowerThanTheyWereToldNorOfAnotherOwner) {
  shim::Tickets tickets;
  EXPECT_EQ(tickets.refuses({}), "");
  EXPECT_EQ(tickets.refuses({1, 1}), "ticket") << "its owner has not been here";
  ASSERT_TRUE(tickets.fence({2, 5}));
  EXPECT_EQ(tickets.refuses({}), "ticket");
  EXPECT_EQ(tickets.refuses({1, 9}), "ticket");
  EXPECT_EQ(tickets.refuses({3, 9}), "ticket");
  EXPECT_EQ(tickets.refuses({2, 4}), "fenced");
  EXPECT_EQ(tickets.refuses({2, 5}), "");
  EXPECT_FALSE(tickets.fence({1, 100})) << "an owner that was replaced";
  ASSERT_TRUE(tickets.fence({2, 3}));
  EXPECT_EQ(tickets.refuses({2, 4}), "fenced") << "it never goes back";
  EXPECT_FALSE(tickets.lift({1, 1}));
  EXPECT_TRUE(tickets.lift({2, 0}));
  EXPECT_EQ(tickets.refuses({}), "");
}

/// Owners that come and are lost without a word, requests that are late, lost, or run on after their end was told.
TEST(SlotBook, HoldsItsLimitWhateverIsLate) {
  constexpr int kLimit = 4;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    struct Owner {
      std::int64_t epoch;
      std::int64_t next = 1;
      SlotBook book;
    };
    shim::Tickets replica;
    std::vector<Owner> owners;               // the last one is the owner; the others may not know
    std::vector<contract::Ticket> onTheWay;  // granted, not yet at the replica
    std::vector<contract::Ticket> runs;      // in the handler
    const auto ask = [&](Owner& owner) {
      if (!replica.fence({owner.epoch, owner.book.ask()})) return;
      owner.book.answer(owner.epoch, *parseRunningTickets(replica.text(runs.size())));
    };
    const auto any = [&](auto& list) { return list.begin() + static_cast<std::ptrdiff_t>(random() % list.size()); };
    owners.push_back({1, 1, {}});
    ask(owners.back());
    for (int step = 0; step < 400; ++step) {
      Owner& owner = owners[random() % 4 == 0 ? random() % owners.size() : owners.size() - 1];
      switch (random() % 8) {
        case 0:
        case 1:
        case 2:
          if (owner.book.taken() >= kLimit) break;
          owner.book.grant(owner.next);
          onTheWay.push_back({owner.epoch, owner.next++});
          break;
        case 3:
        case 4: {
          if (onTheWay.empty()) break;
          const auto ticket = any(onTheWay);
          if (replica.refuses(*ticket).empty()) {
            replica.began(*ticket);
            runs.push_back(*ticket);
          } else {
            owners[static_cast<std::size_t>(ticket->epoch - 1)].book.end(ticket->number, true);
          }
          onTheWay.erase(ticket);
          break;
        }
        case 5: {  // a handler ends, and its owner is told or not
          if (runs.empty()) break;
          const auto ticket = any(runs);
          replica.ended(*ticket);
          for (Owner& each : owners)
            if (each.epoch == ticket->epoch && random() % 2 == 0) each.book.end(ticket->number, true);
          runs.erase(ticket);
          break;
        }
        case 6: {  // who held a ticket is gone, wherever its request is
          if (owner.next > 1) owner.book.end(1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(owner.next - 1)), false);
          ask(owner);
          break;
        }
        case 7:
          if (random() % 8 != 0) break;
          owners.push_back({static_cast<std::int64_t>(owners.size()) + 1, 1, {}});
          ask(owners.back());
          break;
      }
      ASSERT_LE(runs.size(), static_cast<std::size_t>(kLimit)) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace pilotlight::core
