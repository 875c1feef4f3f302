// Runtime `http`: starts the handler's command with PORT set, and proxies to it over 127.0.0.1.
#pragma once

#include <unordered_set>

#include "net/client.h"
#include "runtime-shim/config.h"
#include "runtime-shim/handler_probe.h"
#include "runtime-shim/invoker.h"
#include "runtime-shim/metrics.h"
#include "runtime-shim/supervised_process.h"

namespace pilotlight::shim {

class HttpInvoker final : public Invoker {
 public:
  HttpInvoker(net::Loop& loop, const Config& config, Children& children, Metrics& metrics, const Log& log);
  ~HttpInvoker() override;
  void start(std::function<void(bool ready)> onReadiness) override;
  std::unique_ptr<Invocation> invoke(Call& call) override;
  void stop(net::Clock::time_point deadline, std::function<void()> done) override;
  void signal(int number) { process_.signal(number); }
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
  HandlerProbe probe_;
  SupervisedProcess process_;
  std::function<void(bool)> onReadiness_;
  net::Clock::time_point started_{};
  std::unordered_set<Proxied*> open_;
};

}  // namespace pilotlight::shim
