// A program run by a test. Its output goes to files, so that nothing it leaves behind can hold the test up.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace pilotlight::test {

struct Command {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  ///< added to the test's own
  std::filesystem::path workDir = ".";
  int out = -1;  ///< stdout; -1: kept for Subprocess::out()
};

/// Leads a process group of its own. The destructor kills the group.
class Subprocess {
 public:
  explicit Subprocess(const Command& command);
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;       ///< to the process
  void signalGroup(int number) const;  ///< to the process group, as Ctrl-C in a terminal does
  /// The exit code, 128 + the signal's number when a signal ended it, nullopt when it still runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);
  std::string out() const { return readFile(output_.path() / "out"); }
  std::string err() const { return readFile(output_.path() / "err"); }

 private:
  TempDir output_;
  pid_t pid_ = -1;
  std::optional<int> exit_;
};

struct Outcome {
  int exit = -1;  ///< see Subprocess::wait; -1: it ran longer than allowed and was killed
  std::string out, err;
  std::string all() const { return "exit " + std::to_string(exit) + "\n" + out + err; }
};

Outcome run(const Command& command, std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace pilotlight::test
