// A handler of upgraded requests.
#pragma once

#include <utility>

#include "net/server.h"

namespace pilotlight::gateway::test {

/// Sends back what comes through the tunnel, and closes when the other side does.
class EchoTunnel final : public net::ExchangeHandler {
 public:
  static net::ExchangeHandler* accept(net::Exchange& exchange) {
    if (exchange.head().upgrade.empty()) return nullptr;
    const net::Header fields[] = {{"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}};
    auto* handler = new EchoTunnel;
    exchange.sendHead(101, "Switching Protocols", fields, {net::BodyKind::tunnel, 0});
    return handler;
  }
  void onBody(net::Exchange& exchange, std::string_view part) override {
    if (!exchange.write(part)) exchange.pauseBody();
  }
  void onBodyEnd(net::Exchange& exchange) override {
    if (std::exchange(ends_, ends_ + 1) > 0) exchange.finish();  // the first end is that of the request
  }
  void onWritable(net::Exchange& exchange) override { exchange.resumeBody(); }
  void onEnd(net::Exchange&, bool) override { delete this; }

 private:
  int ends_ = 0;
};

}  // namespace pilotlight::gateway::test
