// Keeps a program going that many depend on: when it crashes, another process of it takes its place at once, with the sockets that its
// keeper has open. So connections wait to be accepted meanwhile, rather than being refused. docs/adr/0019 has the whole.
#pragma once

#include <chrono>
#include <functional>

namespace pilotlight::program {

/// A crash is an end by a signal.
struct KeeperOptions {
  std::chrono::milliseconds settled{std::chrono::seconds(60)};  ///< who ran that long before its crash begins a new row of them
  int crashesInARow = 5;                                        ///< then the keeper ends as well
  std::chrono::milliseconds pause{100};                         ///< before the second next start of a row; doubled each further time
};

struct Kept {
  std::function<int(int crashes)> program;  ///< runs in each child, told how many crashed before it; returns its exit status
  std::function<void(int signal, bool again)> crashed = [](int, bool) {};  ///< in the keeper; again: there will be another one
  std::function<void()> ending = [] {};  ///< in the keeper, at the first signal to end: closes its copies of the sockets
};

/// Forks; returns in each child what `program` did, and in the keeper the last child's exit status, 128 + the signal's number after a
/// crash. SIGINT, SIGTERM and SIGHUP are passed on. The child does not outlive the keeper.
/// Call it while there is one thread and little memory in use: the keeper stays as it was then.
int keep(const KeeperOptions& options, const Kept& kept);

}  // namespace pilotlight::program
