#include "runtime-shim/native_invoker.h"

#include <utility>

#include "runtime-shim/native_invocation.h"

namespace pilotlight::shim {

NativeInvoker::NativeInvoker(net::Loop& loop, const Config& config, Metrics& metrics, const Log& log, std::function<void()> failed)
    : loop_(loop),
      config_(config),
      metrics_(metrics),
      log_(log),
      context_(config, log),
      failed_(std::move(failed)),
      threads_(loop, config.concurrency + 2) {}  // requests, the changed hook, and one for the loop

NativeInvoker::~NativeInvoker() = default;

void NativeInvoker::start(std::function<void(bool)> onReadiness) {
  onReadiness_ = std::move(onReadiness);
  started_ = net::Clock::now();
  threads_.submit(load_);
}

std::expected<NativeLibrary, std::string> NativeInvoker::load() const {
  auto library = loadLibrary(config_.handler[0], config_.handler.size() > 1 ? config_.handler[1] : "handle");
  if (!library || !library->init) return library;
  if (int result = library->init(&context_); result != 0) {
    return std::unexpected("the init hook of " + config_.handler[0] + " failed with " + std::to_string(result));
  }
  return library;
}

void NativeInvoker::onLoaded() {
  if (!load_.library) {
    log_.error("handler can't be started", {{"error", "start-failed"}, {"reason", load_.library.error()}});
    return failed_();
  }
  ready_ = true;
  metrics_.handlerStarted(net::Clock::now() - started_);
  onReadiness_(true);
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(net::Clock::now() - started_);
  if (toTell_) sourcesChanged();
  log_.info("ready", {{"library", config_.handler[0]}, {"load_us", took.count()}});
}

void NativeInvoker::sourcesChanged() {
  if (!ready_) {
    toTell_ = true;
  } else if (!load_.library->changed) {
    log_.warn("the library has no pilotlight_changed: it is not told of new files", {{"library", config_.handler[0]}});
  } else if (telling_ == Telling::no) {
    telling_ = Telling::now;
    threads_.submit(changed_);
  } else {
    telling_ = Telling::nowAndAgain;
  }
}

void NativeInvoker::onChangeTold() {
  if (std::exchange(telling_, Telling::no) == Telling::nowAndAgain) sourcesChanged();
}

Invocation& NativeInvoker::invoke(Call& call) {
  NativeInvocation& invocation = invocations_.take(threads_, *load_.library, config_.settings.nativeBody, log_);
  invocation.open(call);
  return invocation;
}

void NativeInvoker::retire(Invocation& invocation) {
  auto& native = static_cast<NativeInvocation&>(invocation);
  native.close();
  invocations_.give(native);
}

void NativeInvoker::stop(net::Clock::time_point, std::function<void()> done) {
  stopped_ = std::move(done);
  if (!ready_ || !load_.library->shutdown) return loop_.post(stopped_);
  threads_.submit(shutdown_);
}

}  // namespace pilotlight::shim
