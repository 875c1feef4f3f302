// A replica as the gateways see it: the shim's own server on a loop of its own, with a handler that counts.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/loop.h"
#include "runtime-shim/function_server.h"

namespace pilotlight::test {

/// What ran in all replicas together. Thread-safe.
class Ledger {
 public:
  void began(const std::string& id) {
    std::lock_guard lock(mutex_);
    ++runs_[id];
    most_ = std::max(most_, ++now_);
  }
  void ended() {
    std::lock_guard lock(mutex_);
    --now_;
  }
  int now() const { return read(now_); }
  int most() const { return read(most_); }
  int runs(const std::string& id) const {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(id);
    return found == runs_.end() ? 0 : found->second;
  }
  std::vector<std::string> ranTwice() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> ids;
    for (const auto& [id, count] : runs_)
      if (count > 1) ids.push_back(id);
    return ids;
  }

 private:
  int read(const int& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }
  mutable std::mutex mutex_;
  std::map<std::string, int> runs_;  // guarded by mutex_, as the next two
  int now_ = 0, most_ = 0;
};

/// Answers after a while, whoever waits: as a handler that can't be interrupted.
class CountingInvoker final : public shim::Invoker {
 public:
  CountingInvoker(net::Loop& loop, Ledger& ledger, std::chrono::milliseconds takes) : loop_(loop), ledger_(ledger), takes_(takes) {}

  void start(std::function<void(bool)> onReadiness) override { onReadiness(true); }
  shim::Invocation& invoke(shim::Call& call) override { return running_.emplace_back(*this, call); }
  void retire(shim::Invocation& invocation) override {
    loop_.post([this, &invocation] { running_.remove_if([&](const Run& run) { return &run == &invocation; }); });
  }
  void stop(net::Clock::time_point, std::function<void()> done) override { done(); }

 private:
  class Run final : public shim::Invocation {
   public:
    Run(CountingInvoker& owner, shim::Call& call) : owner_(owner), call_(call), timer_([this] { end(); }) {}
    void begin() override {
      owner_.ledger_.began(std::string(call_.requestId()));
      owner_.loop_.arm(timer_, owner_.takes_);
    }
    void onBody(std::string_view part) override { bytes_ += part.size(); }
    void onBodyEnd() override {}
    void cancel() override { cancelled_ = true; }

   private:
    void end() {
      owner_.ledger_.ended();
      if (cancelled_) return call_.released();
      const std::string text = std::to_string(bytes_);
      call_.sendHead(200, "OK", {}, {net::BodyKind::length, text.size()});
      call_.write(text);
      call_.finish();
    }
    CountingInvoker& owner_;
    shim::Call& call_;
    net::Timer timer_;
    std::size_t bytes_ = 0;
    bool cancelled_ = false;
  };
  net::Loop& loop_;
  Ledger& ledger_;
  const std::chrono::milliseconds takes_;
  std::list<Run> running_;
};

class CountingReplica {
 public:
  CountingReplica(const net::Address& listen, std::size_t limit, Ledger& ledger, std::chrono::milliseconds takes)
      : log_(-1, "f", "default", "1", ""), invoker_(loop_, ledger, takes) {
    config_.concurrency = limit;
    server_ = std::make_unique<shim::FunctionServer>(loop_, config_, invoker_, metrics_, log_);
    auto listener = net::listenTcp(listen);
    if (!listener) throw std::runtime_error(listener.error());
    server_->listen(std::move(*listener));
    server_->onLightRequested([this] {
      if (parked_) ++lights_;
      show(false);
    });
    server_->setReady(true);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~CountingReplica() {
    loop_.post([this] { server_.reset(); });
    loop_.stop();
    thread_.join();
  }
  /// Refuses until it is lit; nobody is told.
  void park() {
    std::promise<void> done;
    loop_.post([&] {
      show(true);
      done.set_value();
    });
    done.get_future().wait();
  }
  int lights() const { return lights_; }

 private:
  void show(bool parked) {
    parked_ = parked;
    server_->setParked(parked);
    server_->setReady(!parked);
  }

  bool parked_ = false;  // of the loop
  std::atomic<int> lights_{0};
  net::Loop loop_;
  shim::Config config_;
  shim::Log log_;
  shim::Metrics metrics_;
  CountingInvoker invoker_;
  std::unique_ptr<shim::FunctionServer> server_;
  std::thread thread_;
};

}  // namespace pilotlight::test
