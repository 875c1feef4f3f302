// Runtime `native`, in the native host: calls a shared library's handler, on the threads that also run the loop.
#pragma once

#include <expected>
#include <string>

#include "runtime-shim/config.h"
#include "runtime-shim/invoker.h"
#include "runtime-shim/leader_followers.h"
#include "runtime-shim/metrics.h"
#include "runtime-shim/native_api.h"
#include "runtime-shim/native_library.h"
#include "runtime-shim/pool.h"

namespace pilotlight::shim {

class NativeInvocation;

class NativeInvoker final : public Invoker {
 public:
  /// `failed`: the library could not be loaded or its init hook failed; the log has said why. On the loop.
  NativeInvoker(net::Loop& loop, const Config& config, Metrics& metrics, const Log& log, std::function<void()> failed);
  ~NativeInvoker() override;
  /// Serves until the loop is stopped; then `stopped` runs, while handlers may still be running. See LeaderFollowers.
  void run(std::function<void()> stopped) { threads_.run(std::move(stopped)); }
  void start(std::function<void(bool ready)> onReadiness) override;
  /// Runs the changed hook, never twice at the same time.
  void sourcesChanged();
  Invocation& invoke(Call& call) override;
  void retire(Invocation& invocation) override;
  /// Runs the shutdown hook.
  void stop(net::Clock::time_point deadline, std::function<void()> done) override;

 private:
  // User code that is called once, like a handler: with the loop, but not on it.
  struct Load final : Job {
    explicit Load(NativeInvoker& invoker) : self(invoker) {}
    void run() override { library = self.load(); }
    void done() override { self.onLoaded(); }
    bool isLong() const override { return true; }
    NativeInvoker& self;
    std::expected<NativeLibrary, std::string> library;
  };
  struct Shutdown final : Job {
    explicit Shutdown(NativeInvoker& invoker) : self(invoker) {}
    void run() override { self.load_.library->shutdown(&self.context_); }
    void done() override { self.stopped_(); }
    bool isLong() const override { return true; }
    NativeInvoker& self;
  };
  struct Changed final : Job {
    explicit Changed(NativeInvoker& invoker) : self(invoker) {}
    void run() override { self.load_.library->changed(&self.context_); }
    void done() override { self.onChangeTold(); }
    bool isLong() const override { return true; }
    NativeInvoker& self;
  };
  std::expected<NativeLibrary, std::string> load() const;
  void onChangeTold();
  void onLoaded();

  net::Loop& loop_;
  const Config& config_;
  Metrics& metrics_;
  const Log& log_;
  const NativeContextHandle context_;
  std::function<void()> failed_;
  std::function<void(bool)> onReadiness_;
  net::Clock::time_point started_{};
  std::function<void()> stopped_;
  bool ready_ = false;
  Load load_{*this};
  Shutdown shutdown_{*this};
  Changed changed_{*this};
  enum class Telling : std::uint8_t { no, now, nowAndAgain } telling_ = Telling::no;
  bool toTell_ = false;  // of what changed before the library was loaded
  Pool<NativeInvocation> invocations_;
  LeaderFollowers threads_;
};

}  // namespace pilotlight::shim
