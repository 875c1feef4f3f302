#include "net/http1_scan.h"

#include <gtest/gtest.h>

namespace pilotlight::net {
namespace {

template <CharClass cls>
void agreesWithTheTable(char filler) {
  for (int c = 0; c < 256; ++c) {
    for (std::size_t size = 0; size < 50; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, filler);
        text[at] = static_cast<char>(c);
        const char *begin = text.data(), *end = begin + size;
        ASSERT_EQ(skip<cls>(begin, end) - begin, skipShort<cls>(begin, end) - begin) << "byte " << c << " at " << at << " of " << size;
      }
    }
  }
}

TEST(Scan, OfSixteenBytesAtATimeAgreesWithTheTable) {
  agreesWithTheTable<CharClass::token>('x');
  agreesWithTheTable<CharClass::token>('_');
  agreesWithTheTable<CharClass::value>(' ');
  agreesWithTheTable<CharClass::value>('\xff');
  agreesWithTheTable<CharClass::target>('/');
  agreesWithTheTable<CharClass::target>('\xff');
}

}  // namespace
}  // namespace pilotlight::net
