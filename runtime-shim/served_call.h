// One admitted request: joins an Exchange (the client) and an Invocation (the handler), which may end in any order.
#pragma once

#include <memory>
#include <string>

#include "runtime-shim/function_server.h"

namespace pilotlight::shim {

class FunctionServer::ServedCall final : public Call, public net::ExchangeHandler {
 public:
  ServedCall(FunctionServer& server, net::Exchange& exchange, std::string requestId, std::chrono::system_clock::time_point deadline,
             std::chrono::milliseconds left);
  ~ServedCall();
  void begin();

  // Call
  const net::RequestHead& head() const override { return exchange_->head(); }
  std::string_view requestId() const override { return requestId_; }
  std::chrono::system_clock::time_point deadline() const override { return deadline_; }
  bool cancelled() const override { return state_ == State::cancelled; }
  void pauseBody() override;
  void resumeBody() override;
  void sendHead(int status, std::string_view reason, std::span<const net::Header> headers, net::ResponseBody body) override;
  bool write(std::string_view part) override;
  bool headSent() const override { return status_ != 0; }
  void finish() override;
  void fail(int status, std::string_view error, std::string_view message) override;
  void refuse(std::string_view reason) override;
  void cut() override;
  void released() override { endInvocation(); }

  // ExchangeHandler
  void onBody(net::Exchange& exchange, std::string_view part) override;
  void onBodyEnd(net::Exchange& exchange) override;
  void onWritable(net::Exchange& exchange) override;
  void onEnd(net::Exchange& exchange, bool complete) override;

 private:
  enum class State : std::uint8_t {
    running,    // the handler works for a client that waits
    cancelled,  // nobody waits; the handler still holds its slot
    ended       // the handler is done; the answer may still be on its way
  };

  void timeOut();
  void cancelInvocation();
  void endInvocation();
  void answer(int status, std::string_view header, std::string_view headerValue, std::string_view message);
  void dropIfDone();

  FunctionServer& server_;
  net::Exchange* exchange_;  // null once the exchange has ended
  std::unique_ptr<Invocation> invocation_;
  const std::string requestId_;
  const std::chrono::system_clock::time_point deadline_;
  const net::Clock::time_point started_;
  State state_ = State::running;
  int status_ = 0;  // 0: no head sent
  net::Timer timer_;
};

}  // namespace pilotlight::shim
