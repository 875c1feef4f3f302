#include "net/handshake.h"

#include <sys/epoll.h>

#include <algorithm>

namespace pilotlight::net {

namespace {
constexpr int kStepsPerTurn = 8;  // of all handshakes
}

Server::Handshake::Handshake(Server::Impl& server, TlsAcceptor& acceptor, Fd fd, Address peer, std::size_t place)
    : Peer(place),
      server_(server),
      acceptor_(acceptor),
      fd_(std::move(fd)),
      peer_(std::move(peer)),
      tls_(acceptor.accept(fd_.get())),
      resume_([this] { step(); }),
      timer_([this] { end(TlsOutcome::timeout); }) {}

bool Server::Handshake::begin() {
  if (!tls_ || !server_.loop.tryAdd(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this)) return false;
  // Those who have taken the longest are the least likely to become anything: whoever opens connections and says nothing pushes
  // out its own.
  if (server_.handshakes.size() >= server_.options.handshakes) server_.handshakes.front()->end(TlsOutcome::crowded);
  index = server_.connections.size();  // one may have gone
  place_ = server_.handshakes.insert(server_.handshakes.end(), this);
  server_.loop.arm(timer_, server_.loop.now() + server_.options.handshakeTimeout);
  return true;
}

void Server::Handshake::drain() {
  server_.loop.arm(timer_, std::min(timer_.due(), server_.loop.now() + server_.options.drainIdle));
}

void Server::Handshake::onReady(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) return step();
  step();
}

void Server::Handshake::step() {
  if (over_) return;
  if (!server_.handshakeTurn.mayWork(server_.loop.now(), kStepsPerTurn)) return server_.loop.arm(resume_, server_.loop.now());
  switch (tls_->handshake()) {
    case Tls::Step::wait:
      return;
    case Tls::Step::failed:
      return end(tls_->outcome());
    case Tls::Step::done:
      return established();
  }
}

void Server::Handshake::established() {
  acceptor_.count(tls_->outcome());
  leave();
  const bool http2 = tls_->http2();
  Wire wire(std::move(fd_), std::move(tls_));
  if (http2)
    server_.becomeHttp2(*this, peer_, std::move(wire), {});
  else
    server_.becomeHttp1(*this, peer_, std::move(wire));
}

void Server::Handshake::end(TlsOutcome outcome) {
  if (over_) return;
  acceptor_.count(outcome);
  leave();
  tls_.reset();
  fd_.reset();
  server_.closed(*this);
}

void Server::Handshake::leave() {
  over_ = true;
  timer_.cancel();
  resume_.cancel();
  server_.loop.remove(fd_.get(), *this);
  server_.handshakes.erase(place_);
}

}  // namespace pilotlight::net
