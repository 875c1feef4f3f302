// pilotlight-shim: PID 1 of a function's container. Adapts HTTP to the function's handler.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "net/descriptor_limit.h"
#include "runtime-shim/descendants.h"
#include "runtime-shim/exec_invoker.h"
#include "runtime-shim/http_invoker.h"
#include "runtime-shim/install.h"
#include "runtime-shim/lifecycle.h"
#include "runtime-shim/supervisor.h"

namespace pilotlight::shim {
namespace {

constexpr char kUsage[] =
    "usage: pilotlight-shim [--runtime native|http|exec] [--listen ip:port] -- handler [argument...]\n"
    "       pilotlight-shim --install folder\n"
    "Further settings are environment variables: PILOTLIGHT_CONCURRENCY, PILOTLIGHT_TIMEOUT_MS, PILOTLIGHT_GRACE_MS, ...\n";

// What is under the shim ends with it, whatever it did to its groups and sessions.
int end(const Config& config, int code) {
  killDescendants(config.settings.killTime);
  return code;
}

// In local mode the starter may die without a word. The kernel then tells us by SIGTERM.
bool followParent(const Config& config) {
  if (!config.local()) return true;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  return ::getppid() == config.parentPid;
}

// Calls `terminate` for the wish to end and `pass` for signals meant for the handler.
template <class Terminate, class Pass>
void dispatch(int signal, const Config& config, Children& children, Terminate terminate, Pass pass) {
  switch (signal) {
    case SIGCHLD:
      return children.reap();
    case SIGTERM:
    case SIGINT:
      if (config.local() && ::getppid() != config.parentPid) ::_exit(end(config, 0));  // nobody is left to drain for
      return terminate();
    default:
      return pass(signal);
  }
}

struct Process {
  const Config& config;
  const Log& log;
  net::Loop loop;
  Children children;
  Metrics metrics;
};

template <class Start, class Terminate, class Pass, class ExitCode>
[[noreturn]] void run(Process& process, Start start, Terminate terminate, Pass pass, ExitCode exitCode) {
  // Before anything is started: a signal that found us without handlers would end us and leave what we started.
  Signals signals(process.loop, {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2},
                  [&](int signal) { dispatch(signal, process.config, process.children, terminate, pass); });
  if (!process.config.local() || ::getppid() == process.config.parentPid) {
    start();
    process.loop.run();
  }
  // No unwinding: requests may be left in mid-air, and the end of the process is the end of all of it.
  ::_exit(end(process.config, exitCode()));
}

template <class AnyInvoker, class Pass, class ExitCode>
[[noreturn]] void serve(Process& process, AnyInvoker& invoker, net::Fd listener, Pass pass, ExitCode exitCode) {
  std::uint16_t port = net::localAddress(listener.get()).port;
  FunctionServer server(process.loop, process.config, invoker, process.metrics, process.log);
  CallHome home(process.loop, process.config, port, process.log);
  Lifecycle lifecycle(process.loop, process.config, server, invoker, home, process.config.readyFd, process.log);
  server.listen(std::move(listener));
  run(process, [&] { lifecycle.start(); }, [&] { lifecycle.terminate(); }, pass, exitCode);
}

[[noreturn]] void serve(Process& process, net::Fd listener) {
  switch (process.config.runtime) {
    case RuntimeKind::http: {
      HttpInvoker invoker(process.loop, process.config, process.children, process.metrics, process.log);
      serve(process, invoker, std::move(listener), [&](int signal) { invoker.signal(signal); }, [&] { return invoker.exitCode(); });
    }
    case RuntimeKind::exec: {
      ExecInvoker invoker(process.loop, process.config, process.children, process.log);
      serve(process, invoker, std::move(listener), [](int) {}, [] { return 0; });
    }
    case RuntimeKind::native: {
      Supervisor supervisor(process.loop, process.config, std::move(listener), process.children, process.metrics, process.log);
      run(
          process, [&] { supervisor.start(); }, [&] { supervisor.terminate(); }, [&](int signal) { supervisor.signal(signal); },
          [&] { return supervisor.exitCode(); });
    }
  }
}

// Returns only when nothing could be started.
int shimMain(const Config& config) {
  Log log(STDOUT_FILENO, config.function, config.namespace_, config.version, config.podName);
  if (!followParent(config)) return 0;
  if (::getpid() != 1) becomeSubreaper();
  net::raiseDescriptorLimit(config.descriptors);
  std::signal(SIGPIPE, SIG_IGN);
  if (config.readyFd >= 0) setCloseOnExec(config.readyFd);
  auto listener = net::listenTcp(config.listen);
  if (!listener) {
    log.error("can't listen", {{"reason", listener.error()}});
    return 1;
  }
  Process process{config, log, {}, {}, {}};
  serve(process, *std::move(listener));
}

}  // namespace
}  // namespace pilotlight::shim

int main(int argc, char** argv) {
  using namespace pilotlight::shim;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts("pilotlight-shim " PILOTLIGHT_VERSION);
    return 0;
  }
  if (argc == 3 && std::strcmp(argv[1], "--install") == 0) {
    auto installed = install(argv[2]);
    if (!installed) std::fprintf(stderr, "pilotlight-shim: %s\n", installed.error().c_str());
    return installed ? 0 : 1;
  }
  auto config = readConfig({argv + 1, argv + argc}, [](const char* name) { return ::getenv(name); });
  if (!config) {
    std::fprintf(stderr, "pilotlight-shim: %s\n%s", config.error().c_str(), kUsage);
    return 2;
  }
  hideCallHomeKey();
  return shimMain(*config);
}
