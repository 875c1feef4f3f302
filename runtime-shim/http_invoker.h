// Runtime `http`: starts the handler's command with PORT set, and proxies to it over 127.0.0.1.
#pragma once

#include "net/client.h"
#include "runtime-shim/config.h"
#include "runtime-shim/handler_probe.h"
#include "runtime-shim/invoker.h"
#include "runtime-shim/metrics.h"
#include "runtime-shim/pool.h"
#include "runtime-shim/supervised_process.h"

namespace pilotlight::shim {

class HttpInvoker final : public Invoker {
 public:
  HttpInvoker(net::Loop& loop, const Config& config, Children& children, Metrics& metrics, const Log& log);
  ~HttpInvoker() override;
  void start(std::function<void(bool ready)> onReadiness) override;
  Invocation& invoke(Call& call) override;
  void retire(Invocation& invocation) override;
  void stop(net::Clock::time_point deadline, std::function<void()> done) override;
  void signal(int number) { process_.signal(number); }
  /// SIGHUP, once it answers: before that it may not be prepared for the signal, which would end it.
  void sourcesChanged();
  int exitCode() const { return process_.exitCode(); }  ///< of the shim, once the loop has stopped

 private:
  class Proxied;

  std::expected<pid_t, std::string> spawnHandler();
  void onStarted();
  void onAnswers();
  void onEnded();

  net::Loop& loop_;
  const Config& config_;
  Metrics& metrics_;
  const Log& log_;
  const std::vector<std::string> environment_;
  net::ClientPool pool_;
  net::Address address_;
  net::ClientPool::Peer* peer_ = nullptr;  // of address_, from its start to its end
  HandlerProbe probe_;
  SupervisedProcess process_;
  std::function<void(bool)> onReadiness_;
  net::Clock::time_point started_{};
  enum class Handler : std::uint8_t { starting, startingWithOldFiles, answering } handler_ = Handler::starting;
  net::Headers sent_;  // of the request whose head is being sent
  Pool<Proxied> proxied_;
};

}  // namespace pilotlight::shim
