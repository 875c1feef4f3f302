// Finds out when a local HTTP server really answers. Loop thread only.
#pragma once

#include <functional>
#include <string>

#include "net/client.h"

namespace pilotlight::shim {

/// Tries to connect each millisecond at first, then less often. With a path it then GETs it until the status is below
/// 500. There is no end of trying but stop(): who starts slowly is not broken.
class HandlerProbe final : public net::ClientHandler {
 public:
  HandlerProbe(net::Loop& loop, std::string path, net::Protocol protocol, std::chrono::milliseconds timeout, std::function<void()> answers);
  ~HandlerProbe() { stop(); }
  void start(const net::Address& address);
  void stop();

  void onHead(const net::ResponseHead& head) override { status_ = head.status; }
  void onBody(std::string_view) override {}
  void onEnd(std::span<const net::Header> trailers) override;
  void onFailure(net::ClientFailure) override;

 private:
  void attempt();
  void connect();
  void get();
  void tryAgain();

  net::Loop& loop_;
  const std::string path_;
  const net::Protocol protocol_;
  const std::chrono::milliseconds timeout_;
  std::function<void()> answers_;
  net::Address address_;
  net::Clock::time_point started_{};
  net::Timer timer_;
  net::ClientPool pool_;
  net::Fd socket_;                   // a connection on its way
  net::ClientCall* call_ = nullptr;  // a GET on its way
  int status_ = 0;
};

}  // namespace pilotlight::shim
