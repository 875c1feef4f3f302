// A server whose exchanges a test holds in its hands.
#pragma once

#include "http2_frames.h"

namespace pilotlight::net::test {

/// Keeps the exchange open for the test to use, on the loop's thread.
struct Held final : ExchangeHandler {
  Exchange* exchange = nullptr;
  std::string body;
  bool bodyEnded = false, ended = false, complete = false;
  int writables = 0;
  void onBody(Exchange&, std::string_view part) override { body.append(part); }
  void onBodyEnd(Exchange&) override { bodyEnded = true; }
  void onWritable(Exchange&) override { ++writables; }
  void onEnd(Exchange&, bool whole) override {
    ended = true;
    complete = whole;
    exchange = nullptr;
  }
};

class Http2Protocol : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    fixture = std::make_unique<ServerFixture>(options);
    // Requests to /held… are the test's.
    fixture->app.takesOver = [this](Exchange& exchange) -> ExchangeHandler* {
      if (!exchange.head().path.starts_with("/held")) return nullptr;
      Held& held = *handlers.emplace_back(std::make_unique<Held>());
      held.exchange = &exchange;
      if (pauseAtOnce) exchange.pauseBody();
      return &held;
    };
  }
  template <class Work>
  auto sync(Work work) {
    return fixture->thread.sync(work);
  }
  bool isOpen(std::size_t index) {
    return eventually([&] { return sync([&] { return handlers.size() > index; }); });
  }
  bool hasEnded(std::size_t index) {
    return eventually([&] { return sync([&] { return handlers.size() > index && handlers[index]->ended; }); });
  }
  std::size_t busy() {
    return sync([&] { return fixture->server->busy(); });
  }
  bool pauseAtOnce = false;
  std::vector<std::unique_ptr<Held>> handlers;
  std::unique_ptr<ServerFixture> fixture;
};

}  // namespace pilotlight::net::test
