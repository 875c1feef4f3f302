#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <utility>

#include "net/http2_server.h"
#include "net/server_connection.h"

namespace pilotlight::net {

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
  Listener(Server::Impl& server, Fd fd) : server_(server), fd_(std::move(fd)), resume_([this] { watch(); }) {
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

  void onReady(std::uint32_t) override {
    for (int i = 0; i < 64; ++i) {
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      Fd fd(accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        server_.accepted(std::move(fd), reinterpret_cast<sockaddr*>(&peer));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        server_.loop.remove(fd_.get(), *this);
        server_.loop.arm(resume_, std::chrono::milliseconds(100));
      } else if (errno == ECONNABORTED || errno == EINTR) {
        continue;
      }
      return;
    }
  }

 private:
  // EPOLLEXCLUSIVE: the same listening socket may be served by several loops, one of which wakes.
  void watch() { server_.loop.add(fd_.get(), EPOLLIN | EPOLLEXCLUSIVE, *this); }

  Server::Impl& server_;
  Fd fd_;
  Timer resume_;
};

void Server::Impl::accepted(Fd fd, const sockaddr* peer) {
  if (connections.size() >= options.maxConnections) return;  // closed: the client sees a reset rather than a hang
  auto connection = std::make_unique<Connection>(*this, std::move(fd), fromSocketAddress(peer), connections.size());
  Connection& reference = *connection;
  connections.push_back(std::move(connection));
  reference.begin();
}

void Server::Impl::becomeHttp2(Connection& connection, Fd fd, std::string_view received) {
  auto next = std::make_unique<Http2Connection>(*this, std::move(fd), connection.peer(), connection.index);
  Http2Connection& reference = *next;
  std::unique_ptr<Peer> before = std::exchange(connections[connection.index], std::move(next));
  reference.begin(received);
  loop.destroyLater(std::move(before));  // `received` is in its buffer
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
  if (draining && connections.empty() && drained) {
    loop.post(std::move(drained));
    drained = nullptr;
  }
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

void Server::listen(Fd listener) {
  impl_->listeners.push_back(std::make_unique<Listener>(*impl_, std::move(listener)));
}

void Server::drain(std::function<void()> done) {
  // What already waits in the backlog was promised an answer.
  for (auto& listener : impl_->listeners) listener->onReady(EPOLLIN);
  impl_->listeners.clear();
  impl_->draining = true;
  impl_->drained = std::move(done);
  for (std::size_t i = impl_->connections.size(); i-- > 0;)
    if (i < impl_->connections.size()) impl_->connections[i]->drain();
  if (impl_->connections.empty() && impl_->drained) {
    impl_->loop.post(std::move(impl_->drained));
    impl_->drained = nullptr;
  }
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
