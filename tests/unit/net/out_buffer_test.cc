#include "net/out_buffer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace pilotlight::net {
namespace {

TEST(OutBuffer, ForgetsWhatWasSentAlsoWhenItIsNeverEmpty) {
  Loop loop;
  OutBuffer buffer(loop);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  Wire wire{Fd(ends[0])};
  const std::string part(10'000, 'x');
  std::uint64_t sent = 0;
  std::size_t most = 0;
  char sink[8'000];
  while (sent < 20'000'000) {
    while (buffer.size() < 60'000) buffer.append(part);
    ASSERT_NE(buffer.flush(wire, sent), OutBuffer::Sent::failed);
    while (buffer.size() < 20'000) buffer.append(part);  // never empty
    most = std::max(most, buffer.footprint());
    ASSERT_GT(read(ends[1], sink, sizeof sink), 0);
  }
  EXPECT_LT(most, 300'000u);
  close(ends[1]);
}

TEST(OutBuffer, KeepsTheOrderAcrossBlockSpillAndDirectParts) {
  Loop loop;
  OutBuffer buffer(loop);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  Wire wire{Fd(ends[0])};
  std::string expected, got;
  std::uint64_t sent = 0;
  char sink[3'000];
  const auto drain = [&] {
    for (ssize_t n; (n = read(ends[1], sink, sizeof sink)) > 0;) got.append(sink, static_cast<std::size_t>(n));
  };
  for (int i = 0; i < 500; ++i) {
    const std::string part(static_cast<std::size_t>(i * 37 % 5000 + 1), static_cast<char>('a' + i % 26));
    expected += part;
    if (i % 3 == 0)
      buffer.sendThrough(wire, part, sent);
    else
      buffer.append(part);
    if (i % 50 == 49) drain();
  }
  while (buffer.flush(wire, sent) == OutBuffer::Sent::blocked) drain();
  drain();
  EXPECT_TRUE(got == expected);
  EXPECT_EQ(sent, expected.size());
  close(ends[1]);
}

}  // namespace
}  // namespace pilotlight::net
