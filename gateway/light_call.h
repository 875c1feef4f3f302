// Tells one parked replica to start its handler, and repeats it while requests wait for it. Loop thread only.
#pragma once

#include <memory>
#include <string>

#include "gateway/function_entry.h"
#include "net/client.h"

namespace pilotlight::gateway {

class Worker;

class LightCall final : public net::ClientHandler {
 public:
  LightCall(Worker& worker, std::shared_ptr<FunctionEntry> entry, FunctionEntry::Dark replica);
  ~LightCall();
  LightCall(const LightCall&) = delete;

  void onHead(const net::ResponseHead& head) override { status_ = head.status; }
  void onBody(std::string_view) override {}
  void onEnd(std::span<const net::Header> trailers) override;
  void onFailure(net::ClientFailure failure) override;

 private:
  void send();
  void onTimer();
  void failed();

  Worker& worker_;
  const std::shared_ptr<FunctionEntry> entry_;
  const FunctionEntry::Dark replica_;
  const std::string host_;
  net::Timer timer_;                 // the answer's time, or the pause before the next call
  net::ClientCall* call_ = nullptr;  // null between calls
  int status_ = 0;
};

}  // namespace pilotlight::gateway
