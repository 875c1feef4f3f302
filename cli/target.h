// "fn/hello", "fn hello", "functions": what a command is asked to act on. Pure.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "kube/types.h"

namespace pilotlight::cli {

struct Target {
  kube::Resource resource;
  std::string name;  ///< empty: all of them
};

/// Each of {"fn/a", "pod/b"}, or {"fn", "a", "b"}, or {"fn"}.
std::expected<std::vector<Target>, std::string> parseTargets(const std::vector<std::string>& words);

}  // namespace pilotlight::cli
