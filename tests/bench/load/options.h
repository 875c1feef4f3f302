// The command line of bench-load.
#pragma once

#include <chrono>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tests/bench/load/backend.h"
#include "tests/bench/load/stream.h"

namespace pilotlight::bench {

/// Processes whose CPU time is told together under one name.
struct Watched {
  std::string name;
  std::vector<pid_t> pids;
};

struct LoadOptions {
  int cpu = -1;  ///< to run on; -1: any
  std::chrono::duration<double> warmup{0.3}, seconds{2};
  bool hold = false;  ///< keep the connections open until standard input ends
  std::vector<BackendAddress> backends;
  std::vector<Watched> watched;
  std::vector<StreamOptions> streams;
};

extern const char* const kLoadUsage;

/// The error names the flag.
std::expected<LoadOptions, std::string> parseLoadOptions(std::span<char* const> arguments);

void runOnCpu(int cpu);  ///< -1: any
void raiseFileLimit();   ///< as far as it goes

}  // namespace pilotlight::bench
