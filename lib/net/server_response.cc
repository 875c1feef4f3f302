// What a connection of HTTP/1.1 sends, and how exchanges and the connection end.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "net/http1_write.h"
#include "net/server_connection.h"

namespace pilotlight::net {

namespace {
constexpr std::size_t kDirectWrite = 8 * 1024;  // larger parts are not copied
}

void Server::Connection::sendInterim(int status, std::span<const Header> headers) {
  if (state_ != State::active || headSent_ || incoming_->head.minor == 0) return;
  out_.append("HTTP/1.1 ");
  out_.appendNumber(static_cast<std::uint64_t>(status));
  out_.append(' ');
  out_.append(reasonPhrase(status));
  out_.append("\r\n");
  writeFields(out_, headers);
  out_.append("\r\n");
  loop_.flushSoon(*this);
}

bool Server::Connection::openTunnel() {
  if (incoming_->head.upgrade.empty()) return false;
  out_.append("Connection: Upgrade\r\nUpgrade: ");
  out_.append(incoming_->head.upgrade);
  out_.append("\r\n\r\n");
  keepAlive_ = false;
  bodyDone_ = false;
  loop_.flushSoon(*this);
  loop_.arm(resume_, loop_.now());  // what has come already
  return true;
}

/// Whether the rest of the request's body may be more than is read for nothing, or may never come. A client that was told that
/// the connection stays would lose the next request on it.
bool Server::Connection::mayLeaveUnread() const {
  if (bodyDone_) return false;
  const RequestHead& head = incoming_->head;
  return head.body != BodyKind::length || bodyLeft_ > server_.options.discardBytes ||
         (head.expectContinue && !continueSent_ && requestBytes_ == 0);
}

bool Server::Connection::discardedTooMuch() const {
  return requestBytes_ - answeredAt_ > server_.options.discardBytes;
}

void Server::Connection::sendHead(int status, std::string_view reason, std::span<const Header> headers, ResponseBody body) {
  if (state_ != State::active || headSent_) return;
  headSent_ = true;
  response_ = body;
  out_.append("HTTP/1.1 ");
  out_.appendNumber(static_cast<std::uint64_t>(status));
  out_.append(' ');
  out_.append(reason);
  out_.append("\r\n");
  writeFields(out_, headers);
  if (tunnel()) {
    if (!openTunnel()) close(false);  // nobody asked for one
    return;
  }
  const auto isDate = [](const Header& field) { return field.name.size() == 4 && equalsIgnoreCase(field.name, "date"); };
  if (std::ranges::none_of(headers, isDate)) {
    out_.append("Date: ");
    out_.append(server_.dateNow());
    out_.append("\r\n");
  }
  const bool bodiless = status == 204 || status == 304 || status < 200;
  if (body.kind == BodyKind::chunked && incoming_->head.minor == 0) {
    response_.kind = BodyKind::untilClose;
    closeAfter_ = true;
  } else if (body.kind == BodyKind::chunked) {
    if (!bodiless) out_.append("Transfer-Encoding: chunked\r\n");
  } else if (body.kind == BodyKind::length || (!bodiless && !headRequest_)) {
    out_.append("Content-Length: ");
    out_.appendNumber(body.kind == BodyKind::length ? body.length : 0);
    out_.append("\r\n");
  }
  if (closeAfter_ || server_.draining || mayLeaveUnread()) keepAlive_ = false;
  if (!keepAlive_)
    out_.append("Connection: close\r\n");
  else if (incoming_->head.minor == 0)
    out_.append("Connection: keep-alive\r\n");
  out_.append("\r\n");
  if (headRequest_ || bodiless) response_ = {};
  loop_.flushSoon(*this);
}

bool Server::Connection::write(std::string_view data) {
  if (state_ != State::active || finished_ || data.empty()) return true;
  if (response_.kind == BodyKind::none) return true;  // HEAD, 204, 304
  responseBytes_ += data.size();
  if (response_.kind == BodyKind::length && responseBytes_ > response_.length) {
    close(false);
    return true;
  }
  const bool chunked = response_.kind == BodyKind::chunked;
  if (chunked) {
    out_.appendNumber(data.size(), 16);
    out_.append("\r\n");
  }
  if (writable_ && data.size() >= kDirectWrite) {
    const auto sent = out_.sendThrough(wire_, data, wireBytes_);
    if (sent == OutBuffer::Sent::failed) {
      close(false);
      return true;
    }
    writable_ = sent == OutBuffer::Sent::all;
  } else {
    out_.append(data);
  }
  if (chunked) out_.append("\r\n");
  loop_.flushSoon(*this);
  if (out_.size() < server_.options.highWater) return true;
  wantWritable_ = true;
  return false;
}

void Server::Connection::finish(std::span<const Header> trailers) {
  if (state_ != State::active || finished_) return;
  if (response_.kind == BodyKind::length && responseBytes_ != response_.length) return close(false);
  if (response_.kind == BodyKind::chunked) {
    out_.append("0\r\n");
    writeFields(out_, trailers);
    out_.append("\r\n");
  }
  finished_ = true;
  answeredAt_ = requestBytes_;
  loop_.flushSoon(*this);
}

void Server::Connection::abort() {
  // What was written before is the client's; only the end is missing.
  if (state_ == State::active && !out_.empty() && writable_) out_.flush(wire_, wireBytes_);
  if (state_ == State::active && headSent_ && (response_.kind == BodyKind::untilClose || tunnel())) {
    // An orderly end would say that the answer is whole: a reset says that it is not.
    const struct linger reset{1, 0};
    setsockopt(wire_.fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  close(false);
}

void Server::Connection::flush() {
  if (state_ == State::closed) return;
  if (!out_.empty() && writable_) {
    const std::uint64_t before = wireBytes_;
    const auto sent = out_.flush(wire_, wireBytes_);
    if (sent == OutBuffer::Sent::failed) return close(false);
    writable_ = sent == OutBuffer::Sent::all;
    if (wireBytes_ != before) deadline_ = Clock::time_point::max();
  }
  if (!out_.empty() && deadline_ == Clock::time_point::max()) setDeadline(loop_.now() + server_.options.sendTimeout);
  if (state_ != State::active) return;
  if (finished_) {
    if (out_.empty()) flushFinished();
  } else if (wantWritable_ && out_.size() < server_.options.highWater / 2) {
    wantWritable_ = false;
    if (handler_) handler_->onWritable(*this);
  }
}

void Server::Connection::flushFinished() {
  if (tunnel() && !bodyDone_) {  // the other direction is still open
    wire_.end();
    return;
  }
  endExchange(true);
  afterAnswer();
  pump();
}

// --- ends ---

void Server::Connection::endExchange(bool complete) {
  --server_.busy;
  if (state_ == State::active) state_ = State::discarding;  // the exchange is over, whatever follows
  ExchangeHandler* handler = handler_;
  handler_ = nullptr;
  if (handler) handler->onEnd(*this, complete);
}

void Server::Connection::afterAnswer() {
  if (state_ == State::closed) return;
  if (!keepAlive_ || closeAfter_ || server_.draining || (!bodyDone_ && discardedTooMuch())) {
    if (bodyDone_ && inputEmpty() && wire_.goodbye()) return close(true);
    return linger();
  }
  if (!bodyDone_) {
    if (state_ != State::discarding || deadline_ == Clock::time_point::max()) {
      discardedAt_ = requestBytes_;
      setDeadline(loop_.now() + server_.options.discardTimeout);
    }
    state_ = State::discarding;
    return;
  }
  state_ = State::waiting;
  keepInput();
}

void Server::Connection::keepInput() {
  if (inBegin_ != inEnd_) {
    std::memmove(in_, in_ + inBegin_, inEnd_ - inBegin_);
    inEnd_ -= inBegin_;
    inBegin_ = 0;
  } else {
    std::swap(in_, body_);
    inBegin_ = bodyBegin_;
    inEnd_ = bodyEnd_;
    bodyBegin_ = bodyEnd_ = 0;
  }
  loop_.giveBlock(body_);
  body_ = nullptr;
  if (inBegin_ != inEnd_) return setDeadline(loop_.now() + server_.options.headTimeout);
  loop_.giveBlock(in_);
  in_ = nullptr;
  inBegin_ = inEnd_ = 0;
  if (incoming_ && server_.spare.size() < 64) server_.spare.push_back(std::move(incoming_));
  incoming_.reset();
  setDeadline(loop_.now() + server_.options.idleTimeout);
}

void Server::Connection::linger() {
  if (!out_.empty()) return close(false);
  state_ = State::lingering;
  inBegin_ = inEnd_ = bodyBegin_ = bodyEnd_ = 0;
  wire_.end();
  lastBytes_.watch(loop_.now());
  setDeadline(loop_.now() + server_.options.lingerTimeout);
  readable_ = true;
  pump();
}

void Server::Connection::close(bool complete) {
  if (state_ == State::closed) return;
  const bool open = state_ == State::active;
  state_ = State::closed;
  timer_.cancel();
  resume_.cancel();
  loop_.remove(wire_.fd(), *this);
  if (!open) wire_.goodbye();  // else the answer would seem whole
  wire_.reset();
  if (open) endExchange(complete);
  server_.closed(*this);
}

void Server::Connection::setDeadline(Clock::time_point due) {
  deadline_ = due;
  // Lazily: a timer that fires early looks at the deadline again, so that a request costs no timer work.
  if (!timer_.armed() || timer_.due() > due) loop_.arm(timer_, due);
}

void Server::Connection::onDeadline() {
  if (deadline_ == Clock::time_point::max()) return;
  if (loop_.now() < deadline_) return loop_.arm(timer_, deadline_);
  if (state_ == State::waiting && !inputEmpty()) return refuse(408);
  if (state_ == State::discarding) {
    if (requestBytes_ == std::exchange(discardedAt_, requestBytes_)) return linger();
    return setDeadline(loop_.now() + server_.options.discardTimeout);  // what is left comes, if slowly
  }
  if (state_ == State::lingering && lastBytes_.stillTaken(wire_.fd(), loop_.now(), server_.options.sendTimeout))
    return setDeadline(loop_.now() + server_.options.lingerTimeout);
  close(false);
}

}  // namespace pilotlight::net
