// `pilotlight local`: checks, starts a LocalInstance, waits for a signal, stops it.
#pragma once

#include "cli/app.h"

namespace pilotlight::local {

/// Blocks until SIGINT, SIGTERM or SIGHUP; a second signal ends the process at once. Call it before any thread is started.
int runLocal(cli::Context& context, const cli::LocalOptions& options);

}  // namespace pilotlight::local
