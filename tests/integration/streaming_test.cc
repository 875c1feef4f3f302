// HTTP/1.1 as it passes a gateway and a shim while it is still being written: nothing is kept back, and nothing piles up.
#include <algorithm>
#include <thread>

#include "tests/integration/protocols_fixture.h"

namespace pilotlight::test {
namespace {

using Streaming = ProtocolsTest;

/// Of a process: VmRSS what it has now, VmHWM the most that it had.
long memoryKib(pid_t pid, const std::string& field) {
  const std::string text = readFile("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = text.find("\n" + field + ":");
  return at == std::string::npos ? 0 : std::stol(text.substr(at + field.size() + 2));
}

TEST_F(Streaming, AnEventIsReadBeforeTheNextOneIsWritten) {
  RawSocket client(local.port());
  client.send(head("GET", "/events/second"));
  const std::string first = client.readTo("data: 1\n\n");
  EXPECT_THAT(first, HasSubstr("\r\nContent-Type: text/event-stream\r\n"));
  EXPECT_THAT(first, HasSubstr("data: 1\n\n"));
  EXPECT_EQ(status(local.get("/p/open/second")), 200) << "only now does it write";
  EXPECT_THAT(client.readTo("data: 2\n\n"), HasSubstr("data: 2\n\n"));
  EXPECT_THAT(client.readTo("0\r\n\r\n"), HasSubstr("0\r\n\r\n")) << "the end is told";
}

TEST_F(Streaming, TrailersPassBothWays) {
  RawSocket client(local.port());
  client.send(head("POST", "/trailers", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"));
  client.send("3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n");
  const std::string answer = client.readTo("X-Took: 5\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, HasSubstr("abc with X-Sum: 42"));
  EXPECT_TRUE(answer.ends_with("\r\n0\r\nX-Took: 5\r\n\r\n")) << answer;
}

TEST_F(Streaming, EarlyHintsComeBeforeTheAnswerIsThere) {
  RawSocket client(local.port());
  client.send(head("GET", "/hints/page"));
  const std::string hints = client.readTo("\r\n\r\n");
  EXPECT_TRUE(hints.starts_with("HTTP/1.1 103 Early Hints\r\n")) << hints;
  EXPECT_THAT(hints, HasSubstr("\r\nLink: </a.css>; rel=preload\r\n"));
  EXPECT_EQ(status(local.get("/p/open/page")), 200) << "only now does it answer";
  EXPECT_TRUE(client.readTo("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(client.read(4), "page");
}

TEST_F(Streaming, AClientThatExpects100ContinueIsToldToGoOn) {
  RawSocket client(local.port());
  client.send(head("POST", "/body", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
  EXPECT_EQ(client.readTo("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_TRUE(client.readTo("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(client.read(4), "body");
}

TEST_F(Streaming, WhatConnectionNamesInAnAnswerDoesNotReachTheClient) {
  const HttpResult result = local.get("/p/hop");
  ASSERT_EQ(status(result), 200) << body(result);
  EXPECT_EQ(result->header("x-hop"), "");
  EXPECT_EQ(result->header("x-stays"), "1");
}

TEST_F(Streaming, AGibibytePassesBothWaysInTheMemoryThatAMebibyteTakes) {
  constexpr std::size_t kSize = std::size_t{1} << 30, kPart = std::size_t{1} << 20;
#if __has_feature(address_sanitizer)
  constexpr long kGrowth = (16 + 256) * 1024;  // KiB: it keeps up to 256 MiB of what was freed
#else
  constexpr long kGrowth = 16 * 1024;
#endif
  const std::string part(kPart, 'x');
  const auto echo = [&](std::size_t size) {
    RawSocket client(local.port());
    client.send(head("POST", "/stream", "Content-Length: " + std::to_string(size) + "\r\n"));
    std::thread sender([&] {
      for (std::size_t sent = 0; sent < size && client.send(part); sent += kPart) {
      }
    });
    EXPECT_TRUE(client.readTo("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(client.skip(size), size);
    sender.join();
  };
  echo(kPart);
  const std::vector<Process> shims = local.shims("p");
  ASSERT_THAT(shims, SizeIs(1));
  std::vector<std::pair<pid_t, long>> before;  // the gateway is in the process of `pilotlight local`
  for (const pid_t pid : {local.pid(), shims[0].pid}) before.emplace_back(pid, memoryKib(pid, "VmRSS"));
  echo(kSize);
  for (const auto& [pid, resident] : before) {
    EXPECT_LT(memoryKib(pid, "VmRSS") - resident, kGrowth) << pid;
    EXPECT_LT(memoryKib(pid, "VmHWM") - resident, kGrowth) << pid;
  }
}

}  // namespace
}  // namespace pilotlight::test
