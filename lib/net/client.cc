#include "net/client.h"

#include "net/client_connection.h"

namespace pilotlight::net {

std::string_view toString(ClientFailure failure) {
  switch (failure) {
    case ClientFailure::connect:
      return "connect";
    case ClientFailure::staleClosed:
      return "closed before answering";
    case ClientFailure::closed:
      return "closed in mid-answer";
    case ClientFailure::protocol:
      return "malformed answer";
  }
  return "unknown";
}

ClientPool::ClientPool(Loop& loop, ClientOptions options) : impl_(new Impl{loop, std::move(options), {}, {}, {}}) {}

ClientPool::~ClientPool() {
  while (!impl_->connections.empty()) impl_->connections.back()->close();
}

ClientPool::Peer& ClientPool::peer(const Address& address) {
  auto& slot = impl_->peers[address];
  if (!slot) {
    slot = std::make_unique<Peer>();
    slot->address = address;
    slot->socketAddress = toSocketAddress(address);
  }
  return *slot;
}

ClientCall* ClientPool::call(Peer& to, const ClientRequest& request, ClientHandler& handler, bool fresh) {
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
  const auto found = impl_->peers.find(to);
  if (found == impl_->peers.end()) return;
  const std::unique_ptr<Peer> peer = std::move(found->second);
  impl_->peers.erase(found);
  for (std::size_t i = impl_->connections.size(); i-- > 0;)
    if (i < impl_->connections.size()) impl_->connections[i]->orphanFrom(*peer);
}

std::size_t ClientPool::idle() const {
  std::size_t count = 0;
  for (const auto& connection : impl_->connections) count += connection->idle();
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
