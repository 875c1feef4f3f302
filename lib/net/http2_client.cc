#include "net/http2_client.h"

#include <algorithm>
#include <cerrno>

#include "net/http2_call.h"

namespace pilotlight::net {

namespace {

constexpr std::size_t kSpareStreams = 64;
constexpr std::int32_t kLastStreams = 0x7fff'ff00;  // ids do not come back: a new connection goes on

Http2Limits limitsOf(const ClientOptions& options) {
  return {.maxStreams = options.maxStreams,
          .headBytes = Loop::kBlockSize,
          .headFields = Headers::kMax,
          .highWater = &options.highWater,
          .idleTimeout = options.idleTimeout,
          .connectTimeout = options.connectTimeout};
}

}  // namespace

ClientPool::Http2Connection::Http2Connection(Impl& pool, Peer& peer, std::size_t place)
    : Http2Session(pool.loop, Role::client, limitsOf(pool.options)), index(place), pool_(pool), peer_(&peer) {
  peer.http2.push_back(this);
}

void ClientPool::Http2Connection::connect(const Peer& peer) {
  auto fd = peer.socketAddress ? connectTcp(*peer.socketAddress, pool_.options.sourceIp) : std::unexpected(EINVAL);
  if (fd) return watchSocket(Wire(std::move(*fd)), true);
  noConnection_ = connectFailure(fd.error());
  failSoon();
}

bool ClientPool::Http2Connection::hasRoom() const {
  return !closed() && peer_ && streams().size() < std::min(peer_->mostStreams, limits().maxStreams);
}

ClientCall* ClientPool::Http2Connection::start(const ClientRequest& request, ClientHandler& handler) {
  std::unique_ptr<Http2Stream> owned;
  if (pool_.spareStreams.empty()) {
    owned = std::make_unique<Stream>(loop());
  } else {
    owned = std::move(pool_.spareStreams.back());
    pool_.spareStreams.pop_back();
  }
  Stream& stream = static_cast<Stream&>(*owned);
  const std::int32_t id = stream.submit(*this, request, handler);
  if (id < 0 || id >= kLastStreams) retire();
  if (id < 0) return nullptr;
  add(std::move(owned), id);
  wake();
  return &stream;
}

void ClientPool::Http2Connection::recycle(std::unique_ptr<Http2Stream> stream) {
  if (pool_.spareStreams.size() < kSpareStreams) pool_.spareStreams.push_back(std::move(stream));
}

/// Calls that went out before the peer said how many it takes.
void ClientPool::Http2Connection::onPeerSettings() {
  const std::uint32_t most = nghttp2_session_get_remote_settings(native(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  if (peer_) peer_->mostStreams = most;
  std::vector<Stream*> unsent;
  for (const auto& stream : streams())
    if (Stream& call = static_cast<Stream&>(*stream); !call.headSent()) unsent.push_back(&call);
  while (!unsent.empty() && streams().size() > most) {
    if (!unsent.back()->over()) unsent.back()->refuse();
    unsent.pop_back();
  }
}

void ClientPool::Http2Connection::retire() {
  if (!peer_) return;
  std::erase(peer_->http2, this);
  peer_ = nullptr;
}

void ClientPool::Http2Connection::onQuiet() {
  if (!peer_) goAway();
}

void ClientPool::Http2Connection::orphanFrom(const Peer& peer) {
  if (peer_ != &peer) return;
  retire();
  if (!streams().empty()) return;
  if (connecting()) return close();
  goAway();
}

void ClientPool::Http2Connection::close() {
  abandoned_ = true;
  if (closed())
    endStreams();
  else
    Http2Session::close();
}

void ClientPool::Http2Connection::gone() {
  retire();
  auto dead = std::move(pool_.http2[index]);
  if (index + 1 != pool_.http2.size()) {
    pool_.http2[index] = std::move(pool_.http2.back());
    pool_.http2[index]->index = index;
  }
  pool_.http2.pop_back();
  loop().destroyLater(std::move(dead));
}

// --- the pool's side ---

ClientCall* ClientPool::Impl::callHttp2(Peer& to, const ClientRequest& request, ClientHandler& handler, bool fresh) {
  for (;;) {
    const auto usable = [&](const Http2Connection* connection) { return connection->hasRoom() && (!fresh || connection->fresh()); };
    const auto found = std::ranges::find_if(to.http2, usable);
    Http2Connection* connection = found == to.http2.end() ? nullptr : *found;
    if (!connection) {
      connection = http2.emplace_back(std::make_unique<Http2Connection>(*this, to, http2.size())).get();
      connection->connect(to);
    }
    if (ClientCall* call = connection->start(request, handler)) return call;
  }
}

void ClientPool::Impl::forgetHttp2(Peer& peer) {
  for (std::size_t i = http2.size(); i-- > 0;)
    if (i < http2.size()) http2[i]->orphanFrom(peer);
}

}  // namespace pilotlight::net
