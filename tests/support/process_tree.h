// What runs on this machine, from /proc.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace pilotlight::test {

/// A process that cannot be mistaken for a later one with the same number.
struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string started;  ///< in clock ticks since boot
  char state = '?';     ///< R, S, Z, …
  std::string command;  ///< arguments, joined by blanks; empty for a zombie
  std::filesystem::path workDir;
};

std::vector<Process> allProcesses();
/// Children, their children and so on; without `root` itself.
std::vector<Process> descendants(pid_t root);
/// Those whose working directory is `folder` or below: finds what has left its process tree.
std::vector<Process> processesIn(const std::filesystem::path& folder);
/// Still there, and not just a zombie that waits for its parent.
bool alive(const Process& process);
std::string describe(const std::vector<Process>& processes);

}  // namespace pilotlight::test
