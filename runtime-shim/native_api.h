// The host's side of pilotlight/function.h. Internal to the native runtime.
#pragma once

#include <pilotlight/function.h>

#include "runtime-shim/config.h"
#include "runtime-shim/log.h"

namespace pilotlight::shim {

class NativeInvocation;

/// The table given to libraries.
extern const pilotlight_api kNativeApi;

struct NativeRequestHandle : pilotlight_request {
  explicit NativeRequestHandle(NativeInvocation& invocation) : pilotlight_request{&kNativeApi}, self(invocation) {}
  NativeInvocation& self;
};

struct NativeResponseHandle : pilotlight_response {
  explicit NativeResponseHandle(NativeInvocation& invocation) : pilotlight_response{&kNativeApi}, self(invocation) {}
  NativeInvocation& self;
};

struct NativeContextHandle : pilotlight_context {
  NativeContextHandle(const Config& c, const Log& l) : pilotlight_context{&kNativeApi}, config(c), log(l) {}
  const Config& config;
  const Log& log;
};

}  // namespace pilotlight::shim
