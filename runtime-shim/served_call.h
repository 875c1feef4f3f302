// One admitted request: joins an Exchange (the client) and an Invocation (the handler), which may end in any order.
#pragma once

#include <string>

#include "runtime-shim/function_server.h"

namespace pilotlight::shim {

class FunctionServer::ServedCall final : public Call, public net::ExchangeHandler {
 public:
  explicit ServedCall(FunctionServer& server);
  ~ServedCall();
  /// May be called again once the call before was given back by FunctionServer::forget().
  void begin(net::Exchange& exchange, std::string_view requestId, const contract::Ticket& ticket,
             std::chrono::system_clock::time_point deadline, std::chrono::milliseconds left);

  // Call
  const net::RequestHead& head() const override { return exchange_->head(); }
  std::string_view requestId() const override { return requestId_; }
  std::chrono::system_clock::time_point deadline() const override { return deadline_; }
  bool cancelled() const override { return state_ == State::cancelled; }
  void pauseBody() override;
  void resumeBody() override;
  std::span<const net::Header> trailers() const override { return exchange_->trailers(); }
  void sendInterim(int status, std::span<const net::Header> headers) override;
  void sendHead(int status, std::string_view reason, std::span<const net::Header> headers, net::ResponseBody body) override;
  bool write(std::string_view part) override;
  bool headSent() const override { return status_ != 0; }
  void closeTunnel() override;
  using Call::finish;
  void finish(std::span<const net::Header> trailers) override;
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

  void onTimer();
  void timeOut();
  void cancelInvocation();
  void endInvocation();
  void answer(int status, std::string_view header, std::string_view headerValue, std::string_view message);
  void dropIfDone();

  FunctionServer& server_;
  net::Exchange* exchange_ = nullptr;  // null once the exchange has ended
  Invocation* invocation_ = nullptr;   // null once it has ended
  std::string requestId_;
  contract::Ticket ticket_;
  std::chrono::system_clock::time_point deadline_;
  net::Clock::time_point started_, due_;
  State state_ = State::ended;
  int status_ = 0;    // 0: no head sent
  net::Timer timer_;  // stays armed between calls, so that a request costs no timer work
};

}  // namespace pilotlight::shim
