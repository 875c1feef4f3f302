// A server's connection, from the first byte to the end: whatever a client sends, and however it comes in parts, the
// application gets what the parser reads from the whole, each request is answered once, and a refusal ends the connection.
#include "server_bench.h"
#include "tests/unit/net/read_request.h"

using namespace pilotlight;
using fuzz::require;
using net::Parse;

namespace {

constexpr net::HeadLimits kLimits{.bytes = 2000, .targetBytes = 200, .fields = 20};  // so small that the fuzzer reaches them

/// What the application is to see, and how it ends.
struct Expected {
  std::vector<std::string> answered;
  bool refused = false, closes = false;
};

Expected expect(std::string_view data) {
  Expected expected;
  while (!data.empty()) {
    const net::test::Verdict verdict = net::test::readRequest(data, data.size(), kLimits);
    expected.refused = verdict.state == Parse::bad;
    if (verdict.state != Parse::done) break;
    expected.answered.push_back(verdict.seen);
    data.remove_prefix(verdict.size);
    expected.closes = !verdict.keepAlive;
    if (expected.closes) break;
  }
  expected.closes |= expected.refused;
  return expected;
}

/// Takes the answers apart; each must be whole.
std::size_t countAnswers(std::string_view output, const Expected& expected) {
  std::size_t count = 0;
  static net::ResponseHead head;
  while (!output.empty()) {
    const bool toHead = count < expected.answered.size() && expected.answered[count].starts_with("HEAD ");
    require(net::parseResponseHead(output, toHead, head) == Parse::done);
    output.remove_prefix(head.size);
    if (head.status == 100) continue;
    ++count;
    if (head.body == net::BodyKind::untilClose) break;
    net::ChunkedDecoder decoder;
    for (Parse state = Parse::more; head.body == net::BodyKind::chunked && state == Parse::more;) {
      const auto fed = decoder.feed(output);
      require(fed.consumed > 0);
      output.remove_prefix(fed.consumed);
      state = fed.state;
      require(state != Parse::bad);
    }
    if (head.body != net::BodyKind::length) continue;
    require(output.size() >= head.length);
    output.remove_prefix(head.length);
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static fuzz::ServerBench bench({.head = kLimits, .http2 = false});
  const fuzz::Input input(bytes, size);
  const Expected expected = expect(input.data);
  bench.echo.answered.clear();

  fuzz::RawClient client(bench);
  client.sendInParts(input);
  require(bench.echo.answered == expected.answered);
  require(countAnswers(client.output, expected) == expected.answered.size() + expected.refused);
  require(client.closed == expected.closes);

  client.end();
  bench.requireEmpty();
  return 0;
}
