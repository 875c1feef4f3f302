#include "net/http2_exchange.h"

#include <algorithm>
#include <charconv>

#include "net/http2_callbacks.h"

namespace pilotlight::net {

namespace {

/// Numbers as text, for as long as the fields are not submitted.
class Digits {
 public:
  explicit Digits(std::uint64_t value) : end_(std::to_chars(text_, text_ + sizeof text_, value).ptr) {}
  operator std::string_view() const { return {text_, end_}; }  // NOLINT(google-explicit-constructor)

 private:
  char text_[24];
  char* end_;
};

bool isDate(const Header& field) {
  return field.name.size() == 4 && equalsIgnoreCase(field.name, "date");
}

}  // namespace

void Server::Http2Connection::Stream::clear() {
  state_ = State::head;
  std::construct_at(&head_);
  headSize_ = {};
  authority_ = hostField_ = protocol_ = {};
  cookies_.clear();
  refusal_ = 0;
  handler_ = nullptr;
  hasLength_ = continueSent_ = headSent_ = closeAfter_ = false;
  response_ = {};
  responseBytes_ = 0;
  Http2Stream::clear();
}

// --- request ---

void Server::Http2Connection::Stream::onFields(bool last) {
  if (state_ != State::head) return receiveEnd();  // trailers
  remoteEnded_ = last;
  readHead(last);
  connection_->spend();
  if (refusal_ != 0) return answerRefusal();
  begin(last);
}

void Server::Http2Connection::Stream::begin(bool last) {
  ++connection_->server().busy;
  state_ = State::open;
  started_ = loop().now();
  const bool empty = last || head_.body == BodyKind::none;
  if (empty) setEndDelivered();
  if (!head_.upgrade.empty()) withhold();  // what comes before the tunnel is open belongs into it
  handler_ = connection_->server().application.onRequest(*this);
  if (state_ == State::open && handler_ && empty && !finished_) handler_->onBodyEnd(*this);
}

void Server::Http2Connection::Stream::answerRefusal() {
  state_ = State::refused;
  const std::string body = "{\"error\":\"" + std::string(reasonPhrase(refusal_)) + "\",\"status\":" + std::to_string(refusal_) + "}\n";
  respond(refusal_, "application/json", body);
}

void Server::Http2Connection::Stream::onData(std::string_view part) {
  if (handler_ && (!finished_ || tunnel())) handler_->onBody(*this, part);
}

void Server::Http2Connection::Stream::onDataEnd() {
  if (handler_ && (!finished_ || tunnel())) handler_->onBodyEnd(*this);
  if (!over() && tunnel() && endSent_) connection_->touch(*this);
}

void Server::Http2Connection::Stream::resumeBody() {
  if (state_ == State::open) resume();
}

// --- response ---

void Server::Http2Connection::Stream::sendContinue() {
  if (!head_.expectContinue || continueSent_ || headSent_ || receivedBytes_ > 0) return;
  continueSent_ = true;
  sendInterim(100, {});
}

void Server::Http2Connection::Stream::sendInterim(int status, std::span<const Header> headers) {
  if (state_ != State::open || headSent_) return;
  const Digits code(static_cast<std::uint64_t>(status));
  FieldList fields;
  fields.add(":status", code);
  fields.addRegular(headers);
  nghttp2_submit_headers(connection_->native(), NGHTTP2_FLAG_NONE, id(), nullptr, fields.data(), fields.size(), nullptr);
  connection_->wake();
}

void Server::Http2Connection::Stream::sendHead(int status, std::string_view, std::span<const Header> headers, ResponseBody body) {
  if (!answering() || headSent_) return;
  headSent_ = true;
  response_ = body;
  if (tunnel()) {
    if (head_.upgrade.empty()) return abort();  // nobody asked for one
    status = 200;
  }
  const bool bodiless = status == 204 || status == 304;
  if (head_.method == "HEAD" || bodiless) response_ = {};
  const Digits code(static_cast<std::uint64_t>(status)), length(body.length);
  FieldList fields;
  fields.add(":status", code);
  if (body.kind == BodyKind::length && status != 204) fields.add("content-length", length);
  for (const Header& field : headers)  // an extended CONNECT is accepted without a key to prove it
    if (!tunnel() || !equalsIgnoreCase(field.name, "sec-websocket-accept")) fields.addRegular({&field, 1});
  if (std::ranges::none_of(headers, isDate)) fields.add("date", connection_->server().dateNow());
  const nghttp2_data_provider data = http2Body();
  nghttp2_submit_response(connection_->native(), id(), fields.data(), fields.size(), response_.kind == BodyKind::none ? nullptr : &data);
  connection_->wake();
  if (tunnel()) release();
}

bool Server::Http2Connection::Stream::write(std::string_view data) {
  if (!answering() || finished_ || data.empty() || response_.kind == BodyKind::none) return true;  // also HEAD, 204, 304
  responseBytes_ += data.size();
  if (response_.kind == BodyKind::length && responseBytes_ > response_.length) {
    abort();
    return true;
  }
  return enqueue(data);
}

void Server::Http2Connection::Stream::finish(std::span<const Header> trailers) {
  if (!answering() || finished_) return;
  if (!headSent_ || (response_.kind == BodyKind::length && responseBytes_ != response_.length)) return abort();
  finishSending(response_.kind == BodyKind::chunked ? trailers : std::span<const Header>{});
}

void Server::Http2Connection::Stream::onDrained() {
  if (handler_) handler_->onWritable(*this);
}

void Server::Http2Connection::Stream::abort() {
  if (state_ == State::ended) return;
  connection_->resetAfterFlush(id());
  endExchange(false);
}

// --- ends ---

void Server::Http2Connection::Stream::onAllSent() {
  if (tunnel() && !endDelivered()) return;  // the other direction is still open
  // The rest of a request that is answered is not wanted (RFC 9113 8.1).
  if (!remoteEnded_)
    connection_->reset(id(), NGHTTP2_NO_ERROR);
  else if (closeAfter_)
    connection_->announceEnd();
  endExchange(true);
}

void Server::Http2Connection::Stream::onClosed(std::uint32_t) {
  if (endSent_ && (!tunnel() || remoteEnded_)) return;  // both ends are told; ours may not be with the kernel yet
  endExchange(false);
}

void Server::Http2Connection::Stream::endExchange(bool complete) {
  if (state_ == State::open) --connection_->server().busy;
  state_ = State::ended;
  ExchangeHandler* const handler = std::exchange(handler_, nullptr);
  end();
  if (handler) handler->onEnd(*this, complete);
}

}  // namespace pilotlight::net
