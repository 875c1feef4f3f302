// Runtime `native`, in the native host: calls a shared library's handler on a pool of threads.
#pragma once

#include <optional>

#include "runtime-shim/config.h"
#include "runtime-shim/invoker.h"
#include "runtime-shim/metrics.h"
#include "runtime-shim/native_api.h"
#include "runtime-shim/native_library.h"
#include "runtime-shim/thread_pool.h"

namespace pilotlight::shim {

class NativeInvoker final : public Invoker {
 public:
  /// `failed`: the library could not be loaded or its init hook failed; the log has said why. On the loop.
  NativeInvoker(net::Loop& loop, const Config& config, Metrics& metrics, const Log& log, std::function<void()> failed);
  void start(std::function<void(bool ready)> onReadiness) override;
  std::unique_ptr<Invocation> invoke(Call& call) override;
  /// Runs the shutdown hook.
  void stop(net::Clock::time_point deadline, std::function<void()> done) override;

 private:
  std::expected<NativeLibrary, std::string> load();  // on a thread of the pool
  void onLoaded(std::expected<NativeLibrary, std::string> library);

  net::Loop& loop_;
  const Config& config_;
  Metrics& metrics_;
  const Log& log_;
  const NativeContextHandle context_;
  std::function<void()> failed_;
  std::function<void(bool)> onReadiness_;
  net::Clock::time_point started_{};
  std::optional<NativeLibrary> library_;
  std::function<void()> stopped_;
  ThreadPool pool_;  // last: it is joined first
};

}  // namespace pilotlight::shim
