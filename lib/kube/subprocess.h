// One run of a program, for its output.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <vector>

namespace pilotlight::kube {

struct ProgramOptions {
  std::vector<std::string> argv;         ///< [0] is a path, or a name looked up in PATH
  std::vector<std::string> environment;  ///< NAME=value, the whole of it
  std::chrono::milliseconds timeout{std::chrono::seconds(30)};
  std::size_t maxOutputBytes = 1U << 20;
};

/// Its standard output, when it ended with 0 in time; standard input is empty, standard error the caller's own. The
/// program and what it started (its process group) are gone when this returns. Errors name the program and how it ended.
std::expected<std::string, std::string> runProgram(const ProgramOptions& options);

}  // namespace pilotlight::kube
