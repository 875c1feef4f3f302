// The command line: parses, then calls a command. The only place that knows the option library.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace pilotlight::cli {

/// Options of `pilotlight local`.
struct LocalOptions {
  std::vector<std::string> files;
  std::string listen = "127.0.0.1:8080";
  std::string tlsCertificate, tlsKey, tlsListen = "127.0.0.1:8443";
  std::string stateDir;
  std::string accessLog = "errors";  ///< off, errors, all
  std::string logLevel = "info";     ///< trace, debug, info, warning, error, off
  std::string config;                ///< YAML file of settings; empty: their defaults
  std::optional<int> loops, pool;    ///< instead of the file's
  std::string shim;                  ///< path; empty: $PILOTLIGHT_SHIM, else beside this program
  int stopSeconds = 10;              ///< for requests in flight
};
using LocalCommand = std::function<int(Context&, const LocalOptions&)>;

/// The exit code: 0, 1 (the command failed) or 2 (wrong usage).
int run(Context& context, const std::vector<std::string>& arguments, const LocalCommand& local);

extern const char* const kProductVersion;

}  // namespace pilotlight::cli
