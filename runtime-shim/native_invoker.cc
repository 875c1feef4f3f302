#include "runtime-shim/native_invoker.h"

#include "runtime-shim/native_invocation.h"

namespace pilotlight::shim {

NativeInvoker::NativeInvoker(net::Loop& loop, const Config& config, Metrics& metrics, const Log& log, std::function<void()> failed)
    : loop_(loop),
      config_(config),
      metrics_(metrics),
      log_(log),
      context_(config, log),
      failed_(std::move(failed)),
      pool_(config.concurrency) {}

void NativeInvoker::start(std::function<void(bool)> onReadiness) {
  onReadiness_ = std::move(onReadiness);
  started_ = net::Clock::now();
  // Not on the loop: constructors and the init hook are user code and may take long.
  pool_.submit([this] {
    auto library = load();
    loop_.post([this, library = std::move(library)]() mutable { onLoaded(std::move(library)); });
  });
}

std::expected<NativeLibrary, std::string> NativeInvoker::load() {
  auto library = loadLibrary(config_.handler[0], config_.handler.size() > 1 ? config_.handler[1] : "handle");
  if (!library || !library->init) return library;
  if (int result = library->init(&context_); result != 0) {
    return std::unexpected("the init hook of " + config_.handler[0] + " failed with " + std::to_string(result));
  }
  return library;
}

void NativeInvoker::onLoaded(std::expected<NativeLibrary, std::string> library) {
  if (!library) {
    log_.error("handler can't be started", {{"error", "start-failed"}, {"reason", library.error()}});
    return failed_();
  }
  library_ = *library;
  metrics_.handlerStarted(net::Clock::now() - started_);
  onReadiness_(true);
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(net::Clock::now() - started_);
  log_.info("ready", {{"library", config_.handler[0]}, {"load_us", took.count()}});
}

std::unique_ptr<Invocation> NativeInvoker::invoke(Call& call) {
  return std::make_unique<NativeInvocation>(loop_, pool_, *library_, log_, call);
}

void NativeInvoker::stop(net::Clock::time_point, std::function<void()> done) {
  stopped_ = std::move(done);
  if (!library_ || !library_->shutdown) return loop_.post(stopped_);
  pool_.submit([this] {
    library_->shutdown(&context_);
    loop_.post(stopped_);
  });
}

}  // namespace pilotlight::shim
