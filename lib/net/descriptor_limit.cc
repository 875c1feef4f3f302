#include "net/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace pilotlight::net {
namespace {

// The limit is the process's, and so is this: what it was. max 0: not raised.
rlimit before{0, 0};

}  // namespace

void raiseDescriptorLimit(std::uint64_t usual) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  before = {usual > 0 ? std::min<rlim_t>(usual, limit.rlim_max) : limit.rlim_cur, limit.rlim_max};
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // to what is allowed anyway
}

std::uint64_t usualDescriptorLimit() {
  if (before.rlim_max > 0) return before.rlim_cur;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void restoreDescriptorLimit() {
  if (before.rlim_max > 0) ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace pilotlight::net
