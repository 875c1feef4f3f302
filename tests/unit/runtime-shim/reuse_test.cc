// What keeps its room for the next request.
#include <gtest/gtest.h>

#include "runtime-shim/owned_headers.h"
#include "runtime-shim/pool.h"

namespace pilotlight::shim {
namespace {

TEST(PoolTest, WhatIsGivenBackIsTakenAgainBeforeAnythingNewIsMade) {
  Pool<int> pool;
  int& first = pool.take(1);
  int& second = pool.take(2);
  EXPECT_EQ(pool.inUse(), 2u);
  pool.give(first);
  EXPECT_EQ(&pool.take(3), &first);
  EXPECT_EQ(first, 1) << "as it was left";
  EXPECT_EQ(second, 2);
  EXPECT_EQ(pool.all().size(), 2u);
}

TEST(OwnedHeadersTest, KeepsCopiesInTheirOrder) {
  OwnedHeaders headers;
  {
    std::string name = "Set-Cookie", value = "a=1";
    headers.add(name, value);
    value = "b=2";
    headers.add(name, value);
  }
  headers.add("X-Empty", "");
  ASSERT_EQ(headers.all().size(), 3u);
  EXPECT_EQ(headers.all()[1].value, "b=2");
  EXPECT_EQ(headers.get("set-cookie"), "a=1");
  EXPECT_EQ(headers[2].name, "X-Empty");
  EXPECT_EQ(headers.get("x-none"), "");
}

TEST(OwnedHeadersTest, RemovesAllOfOneNameWhateverItsCase) {
  OwnedHeaders headers;
  for (const char* name : {"A", "B", "a"}) headers.add(name, name);
  headers.remove("a");
  ASSERT_EQ(headers.size(), 1u);
  EXPECT_EQ(headers[0].name, "B");
  headers.clear();
  EXPECT_EQ(headers.size(), 0u);
  EXPECT_EQ(headers.get("B"), "");
}

}  // namespace
}  // namespace pilotlight::shim
