#include "net/server.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <utility>

#include "net/handshake.h"
#include "net/http2_server.h"
#include "net/server_connection.h"

namespace pilotlight::net {

namespace {
constexpr std::chrono::milliseconds kAcceptRetry{100};
constexpr std::chrono::milliseconds kLastCall{100};  // from the end of new connections to the end of the listening socket
}  // namespace

void Exchange::respond(int status, std::string_view contentType, std::string_view body, std::span<const Header> extra) {
  Header fields[32];
  std::size_t count = 0;
  if (!contentType.empty()) fields[count++] = {"Content-Type", contentType};
  for (const Header& field : extra)
    if (count < std::size(fields)) fields[count++] = field;
  sendHead(status, reasonPhrase(status), {fields, count}, {body.empty() ? BodyKind::none : BodyKind::length, body.size()});
  if (!body.empty()) write(body);
  finish();
}

/// Accepts; pauses for a moment when descriptors run out, since the event would only repeat.
class Server::Listener final : public Pollable {
 public:
  Listener(Server::Impl& server, Fd fd, TlsAcceptor* tls) : server_(server), fd_(std::move(fd)), tls_(tls), resume_([this] { watch(); }) {
    const int one = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // inherited by what is accepted
    watch();
  }
  ~Listener() {
    if (!resume_.armed()) server_.loop.remove(fd_.get(), *this);
  }

  void pause(bool on) {
    resume_.cancel();
    server_.loop.remove(fd_.get(), *this);
    if (!on) watch();
  }

  /// Completes the handshakes under way, but begins no other: a client that the kernel has accepted must not be reset when the
  /// socket closes.
  void refuseNew() {
    constexpr int kFlagsOffset = 13;  // in the TCP header, with which the filter's data begins
    sock_filter dropSyn[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsOffset), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
                             BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
    const sock_fprog program{std::size(dropSyn), dropSyn};
    setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  }

  void onReady(std::uint32_t) override {
    for (int i = 0; i < 64; ++i) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      Fd fd(accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        server_.accepted(std::move(fd), reinterpret_cast<sockaddr*>(&peer), tls_);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        server_.loop.remove(fd_.get(), *this);
        server_.loop.arm(resume_, kAcceptRetry);
      } else if (errno == ECONNABORTED || errno == EINTR) {
        continue;
      }
      return;
    }
  }

 private:
  // EPOLLEXCLUSIVE: the same listening socket may be served by several loops, one of which wakes.
  void watch() {
    if (!server_.loop.tryAdd(fd_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this)) server_.loop.arm(resume_, kAcceptRetry);
  }

  Server::Impl& server_;
  Fd fd_;
  TlsAcceptor* const tls_;
  Timer resume_;
};

void Server::Impl::accepted(Fd fd, const sockaddr* peer, TlsAcceptor* tls) {
  if (connections.size() >= options.maxConnections) return;  // closed: the client sees a reset rather than a hang
  const auto take = [&](auto connection) {
    if (!connection->begin()) return;
    Peer& reference = *connection;
    connections.push_back(std::move(connection));
    if (draining) reference.drain();
  };
  if (tls)
    take(std::make_unique<Handshake>(*this, *tls, std::move(fd), fromSocketAddress(peer), connections.size()));
  else
    take(std::make_unique<Connection>(*this, Wire(std::move(fd)), fromSocketAddress(peer), connections.size()));
}

void Server::Impl::replace(Peer& connection, std::unique_ptr<Peer> next) {
  loop.destroyLater(std::exchange(connections[connection.index], std::move(next)));
}

void Server::Impl::becomeHttp1(Peer& connection, const Address& peer, Wire wire) {
  auto next = std::make_unique<Connection>(*this, std::move(wire), peer, connection.index);
  Connection& reference = *next;
  replace(connection, std::move(next));
  if (!reference.begin()) return reference.cut();
  if (draining) reference.drain();
}

void Server::Impl::becomeHttp2(Peer& connection, const Address& peer, Wire wire, std::string_view received) {
  auto next = std::make_unique<Http2Connection>(*this, peer, connection.index);
  Http2Connection& reference = *next;
  replace(connection, std::move(next));
  reference.begin(std::move(wire), received);
}

void Server::Impl::closed(Peer& connection) {
  const std::size_t index = connection.index;
  auto dead = std::move(connections[index]);
  if (index + 1 != connections.size()) {
    connections[index] = std::move(connections.back());
    connections[index]->index = index;
  }
  connections.pop_back();
  loop.destroyLater(std::move(dead));
  endDrain();
}

void Server::Impl::endDrain() {
  if (!drained || !listeners.empty() || !connections.empty()) return;
  loop.post(std::move(drained));
  drained = nullptr;
}

std::string_view Server::Impl::dateNow() {
  const time_t now = time(nullptr);
  if (now != dateSecond) {
    dateSecond = now;
    tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    date.assign(text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  return date;
}

Server::Server(Loop& loop, Application& application, ServerOptions options)
    : impl_(new Impl{loop, application, options, {}, {}, {}, 0, false, {}, 0, {}}) {
  impl_->options.head.bytes = std::min(impl_->options.head.bytes, Loop::kBlockSize);
}

Server::~Server() {
  impl_->drained = nullptr;
  impl_->listeners.clear();
  while (!impl_->connections.empty()) impl_->connections.back()->cut();
}

void Server::listen(Fd listener, TlsAcceptor* tls) {
  impl_->listeners.push_back(std::make_unique<Listener>(*impl_, std::move(listener), tls));
}

void Server::leave(std::function<void()> done) {
  impl_->listeners.clear();
  drain(std::move(done));
}

void Server::drain(std::function<void()> done) {
  impl_->draining = true;
  impl_->drained = std::move(done);
  for (std::size_t i = impl_->connections.size(); i-- > 0;)
    if (i < impl_->connections.size()) impl_->connections[i]->drain();
  for (auto& listener : impl_->listeners) listener->refuseNew();
  impl_->lastCall = std::make_unique<Timer>([impl = impl_.get()] {
    for (auto& listener : impl->listeners) listener->onReady(EPOLLIN);
    impl->listeners.clear();
    impl->endDrain();
  });
  impl_->loop.arm(*impl_->lastCall, impl_->listeners.empty() ? std::chrono::milliseconds(0) : kLastCall);
}

void Server::spareMemory(bool on) {
  impl_->options.highWater = on ? std::min(kSparingHighWater, impl_->usualHighWater) : impl_->usualHighWater;
  for (const auto& listener : impl_->listeners) listener->pause(on);
}

std::size_t Server::connections() const {
  return impl_->connections.size();
}
std::size_t Server::busy() const {
  return impl_->busy;
}

}  // namespace pilotlight::net
