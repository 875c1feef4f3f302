#include "net/server_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/http1_write.h"

namespace pilotlight::net {

namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

Server::Connection::Connection(Server::Impl& server, Wire wire, Address peer, std::size_t place)
    : Peer(place),
      server_(server),
      loop_(server.loop),
      wire_(std::move(wire)),
      peer_(std::move(peer)),
      readable_(wire_.secure()),  // what came with the end of the handshake has no edge of its own
      first_(!wire_.secure()),
      out_(server.loop),
      resume_([this] { pump(); }),
      timer_([this] { onDeadline(); }) {}

Server::Connection::~Connection() {
  loop_.forgetFlush(*this);
  loop_.giveBlock(in_);
  loop_.giveBlock(body_);
}

bool Server::Connection::begin() {
  if (!loop_.tryAdd(wire_.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this)) return false;
  setDeadline(loop_.now() + server_.options.headTimeout);
  return true;
}

void Server::Connection::drain() {
  keepAlive_ = false;
  if (state_ == State::waiting && inputEmpty()) setDeadline(std::min(deadline_, loop_.now() + server_.options.drainIdle));
}

// --- events ---

void Server::Connection::onReady(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) peerClosed_ = true;
  if (events & EPOLLOUT) {
    writable_ = true;
    wire_.onWritable();
    if (!out_.empty()) flush();
  }
  // Nothing more will come from a client that has closed; one that waits for its answer does not close. While its body is
  // paused, what it may still have sent is not looked at: the request is of no use to it any more.
  // A tunnel has two directions, each with an end of its own.
  if (peerClosed_ && state_ == State::active && (tunnel() ? (events & EPOLLERR) != 0 : bodyDone_ || bodyPaused_)) return close(false);
  pump();
}

void Server::Connection::pump() {
  if (pumping_) return;
  pumping_ = true;
  for (bool more = true; more && state_ != State::closed;) {
    if (!turn_.mayWork(loop_.now())) {  // others' turn; ours goes on in the next one
      loop_.arm(resume_, loop_.now());
      break;
    }
    switch (state_) {
      case State::waiting:
        if (!inputEmpty()) parse();
        if (state_ == State::waiting) more = readInput();
        break;
      case State::active:
        if ((bodyDone_ || bodyPaused_) && peerClosed_ && !finished_ && !tunnel())
          close(false);  // it left before anybody waited for that
        else if (bodyDone_ || bodyPaused_ || (finished_ && !tunnel() && discardedTooMuch()))
          more = false;
        else if (!inputEmpty())
          feedBody();
        else
          more = readInput();
        break;
      case State::discarding:
        if (bodyDone_ || discardedTooMuch())
          afterAnswer();
        else if (!inputEmpty())
          feedBody();
        else
          more = readInput();
        break;
      case State::lingering:
        bodyBegin_ = bodyEnd_ = 0;
        more = readInput();
        break;
      case State::closed:
        break;
    }
  }
  pumping_ = false;
}

bool Server::Connection::readInput() {
  if (!readable_) return false;
  const bool toHead = state_ == State::waiting;
  char*& block = toHead ? in_ : body_;
  std::size_t& end = toHead ? inEnd_ : bodyEnd_;
  if (!toHead) bodyBegin_ = bodyEnd_ = 0;
  if (!block) block = loop_.takeBlock();
  bool emptied = false;
  const ssize_t got = wire_.receive(block + end, Loop::kBlockSize - end, emptied);
  if (got > 0) {
    end += static_cast<std::size_t>(got);
    if (emptied && !peerClosed_) readable_ = false;  // after a FIN only EOF remains to be read
    return true;
  }
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    readable_ = false;
    if (toHead && inputEmpty()) keepInput();
    return false;
  }
  if (got == 0 && state_ == State::active && tunnel())
    onClientEnd();
  else
    close(false);
  return false;
}

// --- request ---

bool Server::Connection::isHttp2() {
  if (!first_ || !server_.options.http2) return false;
  const std::string_view data(in_ + inBegin_, inEnd_ - inBegin_);
  if (data.size() >= kHttp2Preface.size()) first_ = false;
  if (!kHttp2Preface.starts_with(data.substr(0, kHttp2Preface.size()))) return first_ = false;
  if (data.size() < kHttp2Preface.size()) return true;
  state_ = State::closed;
  timer_.cancel();
  resume_.cancel();
  loop_.remove(wire_.fd(), *this);
  server_.becomeHttp2(*this, peer_, std::move(wire_), data);
  return true;
}

void Server::Connection::parse() {
  if (isHttp2()) return;
  if (!incoming_) {
    if (server_.spare.empty()) {
      incoming_ = std::make_unique<Incoming>();
    } else {
      incoming_ = std::move(server_.spare.back());
      server_.spare.pop_back();
    }
  }
  int status = 400;
  const std::string_view data(in_ + inBegin_, inEnd_ - inBegin_);
  const bool begins = headSeen_ == 0;
  switch (parseRequestHead(data, server_.options.head, incoming_->head, status, std::exchange(headSeen_, data.size()))) {
    case Parse::bad:
      return refuse(status);
    case Parse::done:
      headSeen_ = 0;
      inBegin_ += incoming_->head.size;
      return startExchange();
    case Parse::more:
      if (inEnd_ == Loop::kBlockSize) {
        if (inBegin_ == 0) return refuse(431);
        std::memmove(in_, in_ + inBegin_, inEnd_ - inBegin_);
        inEnd_ -= inBegin_;
        inBegin_ = 0;
      }
      if (begins) setDeadline(loop_.now() + server_.options.headTimeout);
  }
}

void Server::Connection::startExchange() {
  ++server_.busy;
  state_ = State::active;
  started_ = loop_.now();
  deadline_ = Clock::time_point::max();
  incoming_->decoder.reset();
  incoming_->trailers.reset();
  bodyLeft_ = incoming_->head.length;
  bodyDone_ = incoming_->head.body == BodyKind::none;
  bodyPaused_ = continueSent_ = headSent_ = finished_ = closeAfter_ = wantWritable_ = false;
  requestBytes_ = responseBytes_ = answeredAt_ = 0;
  response_ = {};
  headRequest_ = incoming_->head.method == "HEAD";
  keepAlive_ = incoming_->head.keepAlive && !server_.draining;
  const bool bodiless = bodyDone_;  // also when the answer opens a tunnel
  handler_ = server_.application.onRequest(*this);
  if (state_ == State::active && handler_ && bodiless && !finished_) handler_->onBodyEnd(*this);
}

void Server::Connection::feedBody() {
  const bool fromHeadBlock = inBegin_ != inEnd_;
  std::size_t& begin = fromHeadBlock ? inBegin_ : bodyBegin_;
  const std::string_view data =
      fromHeadBlock ? std::string_view(in_ + inBegin_, inEnd_ - inBegin_) : std::string_view(body_ + bodyBegin_, bodyEnd_ - bodyBegin_);
  std::string_view part;
  bool done = false;
  if (tunnel()) {
    part = data;
    begin += part.size();
  } else if (incoming_->head.body == BodyKind::length) {
    part = data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bodyLeft_, data.size())));
    begin += part.size();
    bodyLeft_ -= part.size();
    done = bodyLeft_ == 0;
  } else {
    const ChunkedDecoder::Step step = incoming_->decoder.feed(data);
    begin += step.consumed;
    if (step.state == Parse::bad) return badBody();
    part = step.data;
    done = step.state == Parse::done;
    if (done && !incoming_->decoder.trailerText().empty()) {
      incoming_->trailers = std::make_unique<Headers>();
      if (!parseTrailers(incoming_->decoder.trailerText(), *incoming_->trailers)) return badBody();
    }
  }
  requestBytes_ += part.size();
  if (!part.empty() && handler_ && (!finished_ || tunnel())) handler_->onBody(*this, part);
  if (!done || state_ == State::closed) return;
  bodyDone_ = true;
  if (handler_ && !finished_) handler_->onBodyEnd(*this);
}

void Server::Connection::badBody() {
  if (state_ == State::active && !headSent_) {
    endExchange(false);
    return refuse(400);
  }
  close(false);
}

void Server::Connection::onClientEnd() {
  readable_ = false;
  bodyDone_ = true;
  if (handler_) handler_->onBodyEnd(*this);
  if (state_ == State::active && finished_) loop_.flushSoon(*this);  // what is left to send goes first
}

std::span<const Header> Server::Connection::trailers() const {
  if (!incoming_->trailers) return {};
  return *incoming_->trailers;
}

void Server::Connection::resumeBody() {
  if (!bodyPaused_) return;
  bodyPaused_ = false;
  if (state_ == State::active && !bodyDone_) pump();
}

void Server::Connection::sendContinue() {
  if (!incoming_->head.expectContinue || continueSent_ || headSent_ || requestBytes_ > 0) return;
  continueSent_ = true;
  out_.append("HTTP/1.1 100 Continue\r\n\r\n");
  loop_.flushSoon(*this);
}

void Server::Connection::refuse(int status) {
  std::string body = "{\"error\":\"" + std::string(reasonPhrase(status)) + "\",\"status\":" + std::to_string(status) + "}\n";
  out_.append("HTTP/1.1 " + std::to_string(status) + " " + std::string(reasonPhrase(status)) +
              "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
              body);
  if (out_.flush(wire_, wireBytes_) == OutBuffer::Sent::failed) return close(false);
  linger();
}

}  // namespace pilotlight::net
