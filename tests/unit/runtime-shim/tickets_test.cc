// Tickets of limited functions, as an owner and its requests see them.
#include <gtest/gtest.h>

#include "shim_process.h"

namespace pilotlight::shim::test {
namespace {

constexpr const char* kTickets = "/_pilotlight/tickets";

std::string ticket(const std::string& text) {
  return "X-Pilotlight-Ticket: " + text + "\r\n";
}

class TicketsTest : public testing::Test {
 protected:
  TicketsTest() { EXPECT_TRUE(shim_.waitReady()) << shim_.log(); }
  Response tell(const std::string& lowest, const std::string& method = "POST") {
    return shim_.connect().request(method, kTickets, "", ticket(lowest));
  }
  std::string refused(const std::string& fields) {
    return shim_.connect().request("GET", "/sleep?ms=0", "", fields).header("x-pilotlight-refused");
  }

  Shim shim_{{"native", {library("native.so")}, {{"PILOTLIGHT_CONCURRENCY", "3"}}}};
};

TEST_F(TicketsTest, AreNeededFromTheMomentThatAnOwnerHasBeenThere) {
  EXPECT_EQ(refused(""), "");
  EXPECT_EQ(refused(ticket("4.1")), "ticket");
  const Response told = tell("4.1");
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.header("x-pilotlight-ticket"), "4.1");
  EXPECT_EQ(told.body, "0\n");
  EXPECT_EQ(refused(""), "ticket");
  EXPECT_EQ(refused(ticket("nonsense")), "ticket");
  EXPECT_EQ(refused(ticket("4.0")), "fenced");
  EXPECT_EQ(refused(ticket("4.1")), "");
}

TEST_F(TicketsTest, OfAnEarlierOwnerAreWorthNothing) {
  ASSERT_EQ(tell("4.1").status, 200);
  ASSERT_EQ(tell("5.1").status, 200);
  EXPECT_EQ(refused(ticket("4.9")), "ticket");
  const Response late = tell("4.9");
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.header("x-pilotlight-ticket"), "5.1");
  EXPECT_EQ(tell("4.9", "DELETE").status, 409);
  EXPECT_EQ(tell("5.0", "DELETE").status, 200);
  EXPECT_EQ(refused(""), "");
}

TEST_F(TicketsTest, AreToldAsLongAsTheHandlerRunsWhoeverWaits) {
  Connection before = shim_.connect();
  before.send("GET /sleep?ms=500 HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return shim_.metric("in_flight") == 1; }));
  ASSERT_EQ(tell("4.1").status, 200);
  auto leaves = std::make_unique<Connection>(shim_.connect());
  leaves->send("GET /sleep?ms=500 HTTP/1.1\r\nHost: x\r\n" + ticket("4.7") + "\r\n");
  ASSERT_TRUE(eventually([&] { return tell("4.1").body == "1 4.7\n"; })) << tell("4.1").body;
  leaves.reset();
  EXPECT_EQ(tell("5.0").body, "1 4.7\n");
  EXPECT_EQ(before.receive().status, 200);
  EXPECT_TRUE(eventually([&] { return tell("5.0").body == "0\n"; })) << tell("5.0").body;
}

TEST_F(TicketsTest, CannotBeAskedForWithoutOne) {
  EXPECT_EQ(shim_.connect().request("POST", kTickets).status, 400);
  EXPECT_EQ(tell("0.1").status, 400);
  EXPECT_EQ(tell("4.1", "PUT").status, 400);
}

}  // namespace
}  // namespace pilotlight::shim::test
