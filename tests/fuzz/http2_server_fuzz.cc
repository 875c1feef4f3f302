// A server's HTTP/2 connection: whatever frames a client sends after the preface, streams end with it, and nothing stays.
#include "server_bench.h"

using namespace pilotlight;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static fuzz::ServerBench bench({.head = {.bytes = 2000, .targetBytes = 200, .fields = 20}, .http2 = true, .maxStreams = 8});
  const fuzz::Input input(bytes, size);
  bench.echo.answered.clear();
  {
    fuzz::RawClient client(bench);
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client.sendInParts(input);
    fuzz::require(client.closed || client.output.size() >= 9);  // its settings, at least
    client.end();
  }
  for (int i = 0; i < 4; ++i) bench.loop.turn(std::chrono::milliseconds(0));
  bench.requireEmpty();
  return 0;
}
