// bench-backend: the server of bench-load in a process of its own. Listens on the addresses given, or on $PORT, as a handler
// of the http runtime does.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/bench/load/backend.h"
#include "tests/bench/load/options.h"

namespace {

int usage() {
  std::fputs("usage: bench-backend [--cpu N] [ip:port[/limit]]...   without an address: 127.0.0.1:$PORT\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace pilotlight::bench;
  int next = 1;
  if (argc > 2 && std::strcmp(argv[1], "--cpu") == 0) {
    runOnCpu(std::atoi(argv[2]));
    next = 3;
  }
  raiseFileLimit();
  std::vector<std::string> addresses(argv + next, argv + argc);
  if (const char* port = std::getenv("PORT"); addresses.empty() && port) addresses.push_back(std::string("127.0.0.1:") + port);
  if (addresses.empty()) return usage();

  Poller poller;
  Backend backend(poller);
  for (const std::string& text : addresses) {
    const auto address = parseBackendAddress(text);
    if (!address) return usage();
    if (const auto listening = backend.listen(*address); !listening) {
      std::fprintf(stderr, "bench-backend: %s\n", listening.error().c_str());
      return 1;
    }
  }
  for (;;) {
    poller.wait(backend.nextDue());
    backend.onTime(Clock::now());
  }
}
