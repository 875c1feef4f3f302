// The flags by which operator and gateways are given the same rules of hosts.
#pragma once

#include "core/host_rules.h"

namespace CLI {
class App;
}

namespace pilotlight::program {

/// `rules` are a cluster's from now on, and must outlive the parsing.
void addHostOptions(CLI::App& app, core::HostRules& rules);

}  // namespace pilotlight::program
