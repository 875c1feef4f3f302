#include "net/client_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/http1_write.h"

namespace pilotlight::net {

namespace {
constexpr std::size_t kDirectWrite = 8 * 1024;  // larger parts are not copied
}  // namespace

ClientFailure connectFailure(int error) {
  const bool ours = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
  return ours ? ClientFailure::exhausted : ClientFailure::connect;
}

ClientPool::Connection::Connection(Impl& pool, Peer& peer, std::size_t place)
    : index(place), pool_(pool), loop_(pool.loop), peer_(&peer), out_(pool.loop), resume_([this] { pump(); }), timer_([this] {
        onDeadline();
      }) {}

ClientPool::Connection::~Connection() {
  loop_.forgetFlush(*this);
  loop_.giveBlock(in_);
}

void ClientPool::Connection::connect() {
  auto fd = peer_->socketAddress ? connectTcp(*peer_->socketAddress, pool_.options.sourceIp) : std::unexpected(EINVAL);
  if (!fd) {
    connectFailure_ = connectFailure(fd.error());
    return;
  }
  wire_ = Wire(std::move(*fd));
  if (!loop_.tryAdd(wire_.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this)) {
    wire_.reset();
    connectFailure_ = ClientFailure::exhausted;
    return;
  }
  setDeadline(loop_.now() + pool_.options.connectTimeout);
}

void ClientPool::Connection::start(const ClientRequest& request, ClientHandler& handler) {
  reused_ = state_ == State::idle;
  if (reused_) {
    state_ = State::busy;
    deadline_ = Clock::time_point::max();
    started_ = loop_.now();
  }
  handler_ = &handler;
  reading_ = Reading::head;
  paused_ = wantWritable_ = gotBytes_ = false;
  keepAlive_ = true;
  toHead_ = request.method == "HEAD";
  headSeen_ = 0;
  interims_ = 0;
  upgrade_.assign(request.upgrade);
  requestBody_ = request.body;
  responseBody_ = BodyKind::none;
  requestDone_ = request.body == BodyKind::none;
  wireBytes_ = 0;
  writeHead(request);
  loop_.flushSoon(*this);
}

void ClientPool::Connection::writeHead(const ClientRequest& request) {
  out_.append(request.method);
  out_.append(' ');
  out_.append(request.target);
  out_.append(" HTTP/1.1\r\n");
  writeFields(out_, request.headers);
  if (request.body == BodyKind::chunked) {
    out_.append("Transfer-Encoding: chunked\r\n");
  } else if (request.body == BodyKind::length) {
    out_.append("Content-Length: ");
    out_.appendNumber(request.length);
    out_.append("\r\n");
  } else if (request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS" && request.method != "DELETE") {
    out_.append("Content-Length: 0\r\n");  // some servers want one with every POST
  }
  if (!upgrade_.empty()) {
    out_.append("Connection: Upgrade\r\nUpgrade: ");
    out_.append(request.upgrade);
    out_.append("\r\n");
  }
  out_.append("\r\n");
}

// --- request ---

bool ClientPool::Connection::write(std::string_view data) {
  if (!handler_ || data.empty()) return true;
  const bool chunked = requestBody_ == BodyKind::chunked;
  if (chunked) {
    out_.appendNumber(data.size(), 16);
    out_.append("\r\n");
  }
  if (state_ == State::busy && writable_ && data.size() >= kDirectWrite) {
    // A failure shows when the answer is read: the peer may have answered before it closed.
    const auto sent = out_.sendThrough(wire_, data, wireBytes_);
    if (sent == OutBuffer::Sent::failed) out_.clear();
    writable_ = sent == OutBuffer::Sent::all;
  } else {
    out_.append(data);
  }
  if (chunked) out_.append("\r\n");
  loop_.flushSoon(*this);
  if (out_.size() < pool_.options.highWater) return true;
  wantWritable_ = true;
  return false;
}

void ClientPool::Connection::finish(std::span<const Header> trailers) {
  if (!handler_ || requestDone_) return;
  requestDone_ = true;
  if (requestBody_ == BodyKind::chunked) {
    out_.append("0\r\n");
    writeFields(out_, trailers);
    out_.append("\r\n");
  }
  loop_.flushSoon(*this);
}

void ClientPool::Connection::flush() {
  if (state_ == State::closed) return;
  if (connectFailure_) return fail(*connectFailure_);
  if (state_ != State::busy) return;  // still connecting
  if (!out_.empty() && writable_) {
    const auto sent = out_.flush(wire_, wireBytes_);
    if (sent == OutBuffer::Sent::failed) {
      // Sending to a closed connection: read what the peer said before, if anything.
      out_.clear();
      readable_ = true;
      peerClosed_ = true;
      return pump();
    }
    writable_ = sent == OutBuffer::Sent::all;
  }
  if (tunnel() && requestDone_ && out_.empty()) {
    if (reading_ == Reading::nothing) return complete();
    wire_.end();
  }
  if (wantWritable_ && out_.size() < pool_.options.highWater / 2) {
    wantWritable_ = false;
    handler_->onWritable();
  }
}

void ClientPool::Connection::cancel() {
  handler_ = nullptr;
  close();
}

// --- answer ---

void ClientPool::Connection::onReady(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) peerClosed_ = true;
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(wire_.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(error == ECONNREFUSED ? ClientFailure::refused : ClientFailure::connect);
    if (!(events & EPOLLOUT)) return;
    state_ = State::busy;
    deadline_ = Clock::time_point::max();
  }
  if (events & EPOLLOUT) {
    writable_ = true;
    if (!out_.empty() || wantWritable_) flush();
  }
  pump();
}

void ClientPool::Connection::pump() {
  if (pumping_) return;
  pumping_ = true;
  while (state_ == State::busy || state_ == State::idle) {
    if (!turn_.mayWork(loop_.now())) {  // others' turn; ours goes on in the next one
      loop_.arm(resume_, loop_.now());
      break;
    }
    if (state_ == State::busy && (reading_ == Reading::nothing || (paused_ && reading_ == Reading::body))) break;
    if (inBegin_ == inEnd_) {
      if (!readInput()) break;
      continue;
    }
    if (state_ == State::idle) {  // nobody asked
      close();
      break;
    }
    if (reading_ == Reading::head) {
      const std::size_t before = inBegin_;
      readHead();
      if (state_ == State::busy && reading_ == Reading::head && inBegin_ == before && !readInput()) break;
    } else {
      readBody();
    }
  }
  pumping_ = false;
}

bool ClientPool::Connection::readInput() {
  if (!readable_) return false;
  if (!in_) in_ = loop_.takeBlock();
  if (inBegin_ == inEnd_ || inEnd_ == Loop::kBlockSize) {  // a part of a head is left, after others: it begins anew
    std::memmove(in_, in_ + inBegin_, inEnd_ - inBegin_);
    inEnd_ -= std::exchange(inBegin_, 0);
  }
  const std::size_t room = Loop::kBlockSize - inEnd_;
  if (room == 0) {  // a head larger than a block
    fail(ClientFailure::protocol);
    return false;
  }
  bool emptied = false;
  const ssize_t got = wire_.receive(in_ + inEnd_, room, emptied);
  if (got > 0) {
    if (reused_ && !gotBytes_ && started_ == loop_.now()) {  // told of in the turn that sent the request: they were there before it
      fail(ClientFailure::protocol);
      return false;
    }
    inEnd_ += static_cast<std::size_t>(got);
    gotBytes_ = true;
    if (emptied && !peerClosed_) readable_ = false;
    return true;
  }
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    readable_ = false;
    if (state_ == State::idle) {
      loop_.giveBlock(in_);
      in_ = nullptr;
    }
    return false;
  }
  if (got == 0)
    onEof();
  else
    fail(reused_ && !gotBytes_ ? ClientFailure::staleClosed : ClientFailure::closed);
  return false;
}

void ClientPool::Connection::onEof() {
  if (state_ == State::busy && reading_ == Reading::body) {
    if (responseBody_ == BodyKind::untilClose) return complete();
    if (tunnel()) {
      reading_ = Reading::nothing;
      handler_->onPeerEnd();
      if (state_ == State::busy && requestDone_ && out_.empty()) complete();
      return;
    }
  }
  fail(reused_ && !gotBytes_ ? ClientFailure::staleClosed : ClientFailure::closed);
}

void ClientPool::Connection::readHead() {
  std::unique_ptr<ResponseHead> head;
  if (pool_.spareHeads.empty()) {
    head = std::make_unique<ResponseHead>();
  } else {
    head = std::move(pool_.spareHeads.back());
    pool_.spareHeads.pop_back();
  }
  const std::string_view data(in_ + inBegin_, inEnd_ - inBegin_);
  const Parse parsed = parseResponseHead(data, toHead_, *head, std::exchange(headSeen_, data.size()));
  if (parsed == Parse::bad || (parsed == Parse::done && !plausible(*head))) return fail(ClientFailure::protocol);
  if (parsed == Parse::done) {
    headSeen_ = 0;
    inBegin_ += head->size;
    if (head->status >= 200 || head->status == 101)
      takeHead(*head);
    else if (head->status != 100)
      handler_->onInterim(*head);
  }
  pool_.spareHeads.push_back(std::move(head));
}

/// Not a switch that nobody asked for, nor one more of endless interim answers.
bool ClientPool::Connection::plausible(const ResponseHead& head) {
  if (head.status == 101) return !upgrade_.empty() && equalsIgnoreCase(head.headers.get("upgrade").value_or(""), upgrade_);
  return head.status >= 200 || ++interims_ <= kMaxInterims;
}

void ClientPool::Connection::takeHead(const ResponseHead& head) {
  reading_ = Reading::body;
  keepAlive_ = head.keepAlive;
  responseBody_ = head.body;
  left_ = head.length;
  decoder_.reset();
  if (tunnel()) {
    keepAlive_ = false;
    requestDone_ = false;  // our direction is open again
  }
  handler_->onHead(head);
  if (state_ == State::busy && responseBody_ == BodyKind::none) complete();
}

void ClientPool::Connection::readBody() {
  const std::string_view data(in_ + inBegin_, inEnd_ - inBegin_);
  std::string_view part;
  bool done = false;
  if (responseBody_ == BodyKind::chunked) {
    const ChunkedDecoder::Step step = decoder_.feed(data);
    inBegin_ += step.consumed;
    if (step.state == Parse::bad) return fail(ClientFailure::protocol);
    part = step.data;
    if (step.state == Parse::done) return endChunked();
  } else if (responseBody_ == BodyKind::length) {
    part = data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, data.size())));
    inBegin_ += part.size();
    left_ -= part.size();
    done = left_ == 0;
  } else {
    part = data;
    inBegin_ = inEnd_;
  }
  if (!part.empty()) handler_->onBody(part);
  if (done && state_ == State::busy) complete();
}

void ClientPool::Connection::endChunked() {
  if (decoder_.trailerText().empty()) return complete();
  Headers trailers;
  if (!parseTrailers(decoder_.trailerText(), trailers)) return fail(ClientFailure::protocol);
  complete({trailers.begin(), trailers.size()});
}

void ClientPool::Connection::resumeBody() {
  if (!paused_) return;
  paused_ = false;
  if (state_ == State::busy) pump();
}

// --- ends ---

void ClientPool::Connection::complete(std::span<const Header> trailers) {
  ClientHandler* handler = handler_;
  handler_ = nullptr;
  const bool reusable = keepAlive_ && requestDone_ && out_.empty() && inBegin_ == inEnd_ && peer_ && !peerClosed_ &&
                        responseBody_ != BodyKind::untilClose && peer_->idle.size() < pool_.options.maxIdlePerAddress;
  if (reusable) {
    state_ = State::idle;
    resume_.cancel();
    loop_.giveBlock(in_);
    in_ = nullptr;
    inBegin_ = inEnd_ = 0;
    peer_->idle.push_back(this);
    setDeadline(loop_.now() + pool_.options.idleTimeout);
  } else {
    close();
  }
  handler->onEnd(trailers);
}

void ClientPool::Connection::fail(ClientFailure failure) {
  ClientHandler* handler = handler_;
  handler_ = nullptr;
  close();
  if (handler) handler->onFailure(failure);
}

void ClientPool::Connection::leavePool() {
  if (!peer_) return;
  std::erase(peer_->idle, this);
  peer_ = nullptr;
}

void ClientPool::Connection::orphanFrom(const Peer& peer) {
  if (peer_ != &peer) return;
  const bool wasIdle = state_ == State::idle;
  leavePool();
  if (wasIdle) close();
}

void ClientPool::Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  leavePool();
  timer_.cancel();
  resume_.cancel();
  if (wire_) loop_.remove(wire_.fd(), *this);
  wire_.reset();
  out_.clear();
  pool_.closed(*this);
}

void ClientPool::Connection::setDeadline(Clock::time_point due) {
  deadline_ = due;
  if (!timer_.armed() || timer_.due() > due) loop_.arm(timer_, due);
}

void ClientPool::Connection::onDeadline() {
  if (deadline_ == Clock::time_point::max()) return;
  if (loop_.now() < deadline_) return loop_.arm(timer_, deadline_);
  if (state_ == State::connecting) return fail(ClientFailure::connect);
  close();  // idle for too long
}

}  // namespace pilotlight::net
