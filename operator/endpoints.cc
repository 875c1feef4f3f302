#include "operator/endpoints.h"

#include <thread>

#include "net/loop.h"
#include "net/server.h"

namespace pilotlight::op {

namespace {
constexpr std::size_t kConnections = 256;
}

struct Endpoints::Impl final : net::Application {
  explicit Impl(EndpointHooks given) : hooks(std::move(given)) {}

  net::ExchangeHandler* onRequest(net::Exchange& exchange) override {
    const std::string_view path = exchange.head().path;
    if (path == "/metrics") {
      exchange.respond(200, "text/plain; version=0.0.4; charset=utf-8", hooks.metrics());
    } else if (path == "/healthz") {
      exchange.respond(200, "text/plain", "ok\n");
    } else if (path == "/readyz") {
      const bool ready = hooks.ready();
      exchange.respond(ready ? 200 : 503, "text/plain", ready ? "ok\n" : "not ready\n");
    } else {
      exchange.respond(404, "text/plain", "there are /metrics, /healthz and /readyz\n");
    }
    return nullptr;
  }

  const EndpointHooks hooks;
  net::Loop loop;
  std::unique_ptr<net::Server> server;
  std::thread thread;
};

Endpoints::Endpoints(EndpointHooks hooks) : impl_(std::make_unique<Impl>(std::move(hooks))) {}

Endpoints::~Endpoints() {
  stop();
}

std::expected<net::Address, std::string> Endpoints::start(const net::Address& listen) {
  auto listener = net::listenTcp(listen);
  if (!listener) {
    return std::unexpected(listener.error());
  }
  net::Address address = net::localAddress(listener->get());
  net::ServerOptions options;
  options.maxConnections = kConnections;
  impl_->server = std::make_unique<net::Server>(impl_->loop, *impl_, options);
  impl_->server->listen(std::move(*listener));
  impl_->thread = std::thread([impl = impl_.get()] { impl->loop.run(); });
  return address;
}

void Endpoints::stop() {
  if (!impl_->thread.joinable()) {
    return;
  }
  impl_->loop.post([impl = impl_.get()] { impl->server.reset(); });
  impl_->loop.stop();
  impl_->thread.join();
}

}  // namespace pilotlight::op
