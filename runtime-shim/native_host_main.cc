// pilotlight-native-host: serves a function's shared library on a socket inherited from pilotlight-shim. Dynamically
// linked, since the library needs the image's own loader.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "api/shim_contract.h"
#include "runtime-shim/host_contract.h"
#include "runtime-shim/lifecycle.h"
#include "runtime-shim/native_invoker.h"
#include "runtime-shim/process.h"

namespace pilotlight::shim {
namespace {

// User code shares our environment: it sees what a handler of any other runtime sees. Before any thread is started.
void hidePrivateVariables() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry; ++entry) names.emplace_back(*entry, std::strcspn(*entry, "="));
  for (const std::string& name : names)
    if (name != contract::kEnvHandlerPort && isPrivate(name)) ::unsetenv(name.c_str());
}

int serve(const Config& config) {
  Log log(STDOUT_FILENO, config.function, config.namespace_, config.version, config.podName);
  net::Loop loop;
  Metrics metrics;
  metrics.handlerRestarts(config.restarts);
  int exitCode = 0;
  NativeInvoker invoker(loop, config, metrics, log, [&] {
    exitCode = 1;
    loop.stop();
  });
  FunctionServer server(loop, config, invoker, metrics, log);
  CallHome home(loop, config, net::localAddress(config.listenFd).port, log);
  Lifecycle lifecycle(loop, config, server, invoker, home, config.statusFd, log);
  Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { lifecycle.terminate(); });
  lifecycle.start();
  setCloseOnExec(config.listenFd);
  server.listen(net::Fd(config.listenFd));
  invoker.run([&exitCode] {
    // Handlers may still run when the grace is over; nothing of theirs is waited for, and no destructor may hit them.
    std::fflush(nullptr);
    ::_exit(exitCode);
  });
  return exitCode;
}

}  // namespace
}  // namespace pilotlight::shim

int main(int argc, char** argv) {
  using namespace pilotlight::shim;
  std::signal(SIGPIPE, SIG_IGN);
  auto config = readConfig({argv + 1, argv + argc}, [](const char* name) { return ::getenv(name); });
  if (!config || config->listenFd < 0) {
    std::fprintf(stderr, "pilotlight-native-host: %s\n", config ? "to be started by pilotlight-shim" : config.error().c_str());
    return 2;
  }
  hideCallHomeKey();
  if (config->statusFd >= 0) setCloseOnExec(config->statusFd);
  hidePrivateVariables();
  return serve(*config);
}
