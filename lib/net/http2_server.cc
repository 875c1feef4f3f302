#include "net/http2_server.h"

#include "net/http2_exchange.h"

namespace pilotlight::net {

namespace {

constexpr std::size_t kSpareStreams = 64;

Http2Limits limitsOf(const ServerOptions& options) {
  return {.maxStreams = options.maxStreams,
          .headBytes = options.head.bytes,
          .headFields = options.head.fields,
          .highWater = &options.highWater,
          .headTimeout = options.headTimeout,
          .idleTimeout = options.idleTimeout,
          .sendTimeout = options.sendTimeout,
          .lingerTimeout = options.lingerTimeout};
}

}  // namespace

Server::Http2Connection::Http2Connection(Server::Impl& server, Address peer, std::size_t place)
    : Peer(place), Http2Session(server.loop, Role::server, limitsOf(server.options)), server_(server), peer_(std::move(peer)) {}

void Server::Http2Connection::begin(Wire wire, std::string_view data) {
  watchSocket(std::move(wire), false);
  received(data);
  if (closed()) return;
  if (server_.draining) announceEnd();
  wake();
}

Http2Stream* Server::Http2Connection::accept(std::int32_t id) {
  std::unique_ptr<Http2Stream> stream;
  if (server_.spareStreams.empty()) {
    stream = std::make_unique<Stream>(loop());
  } else {
    stream = std::move(server_.spareStreams.back());
    server_.spareStreams.pop_back();
  }
  Http2Stream* const raw = stream.get();
  static_cast<Stream&>(*raw).assign(*this);
  add(std::move(stream), id);
  return raw;
}

void Server::Http2Connection::recycle(std::unique_ptr<Http2Stream> stream) {
  if (server_.spareStreams.size() < kSpareStreams) server_.spareStreams.push_back(std::move(stream));
}

}  // namespace pilotlight::net
