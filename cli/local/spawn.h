// Starting and ending processes of the host.
//
// spawn() costs the same however large this process is (posix_spawn shares its memory until exec). Everything else that
// is open in this process stays closed in the child.
// Thread-safety: any thread; but a child that uses PR_SET_PDEATHSIG ends with the thread that spawned it.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "net/socket.h"

namespace pilotlight::local {

/// In the child: the write end of Process::ready.
inline constexpr int kReadyFd = 3;

struct Command {
  std::string program;                   ///< absolute path
  std::vector<std::string> arguments;    ///< without the program itself
  std::vector<std::string> environment;  ///< "NAME=value": all of it
  std::string workDir;
};

/// A child that leads a session and process group of its own. stdin is /dev/null.
struct Process {
  pid_t pid = -1;
  net::Fd pidfd;            ///< readable when the child has ended
  net::Fd out, err, ready;  ///< read ends, non-blocking
};

struct ExitStatus {
  int code = 0;    ///< 128 + signal when it was killed, as container runtimes report it
  int signal = 0;  ///< 0: it ended by itself
};

std::expected<Process, std::string> spawn(const Command& command);

/// To the child only. Safe also when it has ended.
void sendSignal(const Process& process, int signal);
/// SIGKILL to the child's process group and, with `session`, to every process of its session (costs a walk through /proc).
/// Only before reap(): until then the ids can't belong to others.
void killAll(const Process& process, bool session);
/// How it ended, without taking its process id away. nullopt: it still runs.
std::optional<ExitStatus> peekExit(const Process& process);
/// The same, and gives the process id back to the system.
std::optional<ExitStatus> reap(const Process& process);
/// Every child of this process, ended ones that nobody has waited for included.
std::vector<pid_t> childrenOfThisProcess();

}  // namespace pilotlight::local
