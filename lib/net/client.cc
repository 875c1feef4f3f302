#include "net/client.h"

#include "net/client_connection.h"
#include "net/http2_client.h"

namespace pilotlight::net {

std::string_view toString(ClientFailure failure) {
  switch (failure) {
    case ClientFailure::connect:
      return "connect";
    case ClientFailure::refused:
      return "connection refused";
    case ClientFailure::exhausted:
      return "out of descriptors, ports or memory";
    case ClientFailure::staleClosed:
      return "closed before answering";
    case ClientFailure::closed:
      return "closed in mid-answer";
    case ClientFailure::protocol:
      return "malformed answer";
  }
  return "unknown";
}

ClientPool::ClientPool(Loop& loop, ClientOptions options) : impl_(new Impl{loop, std::move(options), {}, {}, {}, {}}) {}

ClientPool::~ClientPool() {
  while (!impl_->connections.empty()) impl_->connections.back()->close();
  while (!impl_->http2.empty()) impl_->http2.back()->close();
}

ClientPool::Peer& ClientPool::peer(const Address& address, Protocol protocol) {
  const auto known = impl_->peers.find(std::pair<const Address&, Protocol>(address, protocol));
  if (known != impl_->peers.end()) return *known->second;
  auto peer = std::make_unique<Peer>();
  peer->address = address;
  peer->protocol = protocol;
  peer->socketAddress = toSocketAddress(address);
  return *impl_->peers.emplace(std::pair(address, protocol), std::move(peer)).first->second;
}

ClientCall* ClientPool::call(Peer& to, const ClientRequest& request, ClientHandler& handler, bool fresh) {
  if (to.protocol == Protocol::h2c) return impl_->callHttp2(to, request, handler, fresh);
  if (!fresh && !to.idle.empty()) {
    Connection* connection = to.idle.back();
    to.idle.pop_back();
    connection->start(request, handler);
    return connection;
  }
  auto owned = std::make_unique<Connection>(*impl_, to, impl_->connections.size());
  Connection* connection = owned.get();
  impl_->connections.push_back(std::move(owned));
  connection->connect();
  connection->start(request, handler);
  return connection;
}

void ClientPool::forget(const Address& to) {
  for (const Protocol protocol : {Protocol::http1, Protocol::h2c}) {
    const auto found = impl_->peers.find(std::pair<const Address&, Protocol>(to, protocol));
    if (found == impl_->peers.end()) continue;
    const std::unique_ptr<Peer> peer = std::move(found->second);
    impl_->peers.erase(found);
    for (std::size_t i = impl_->connections.size(); i-- > 0;)
      if (i < impl_->connections.size()) impl_->connections[i]->orphanFrom(*peer);
    impl_->forgetHttp2(*peer);
  }
}

void ClientPool::spareMemory(bool on) {
  impl_->options.highWater = on ? std::min(kSparingHighWater, impl_->usualHighWater) : impl_->usualHighWater;
}

std::size_t ClientPool::idle() const {
  std::size_t count = 0;
  for (const auto& connection : impl_->connections) count += connection->idle();
  for (const auto& connection : impl_->http2) count += connection->idle();
  return count;
}

void ClientPool::Impl::closed(Connection& connection) {
  const std::size_t index = connection.index;
  auto dead = std::move(connections[index]);
  if (index + 1 != connections.size()) {
    connections[index] = std::move(connections.back());
    connections[index]->index = index;
  }
  connections.pop_back();
  loop.destroyLater(std::move(dead));
}

}  // namespace pilotlight::net
