#include "net/http2_call.h"

#include <charconv>

#include "net/http2_callbacks.h"

namespace pilotlight::net {

namespace {

constexpr std::size_t kFrameHead = 9;

bool isProtocolError(std::uint32_t error) {
  switch (error) {
    case NGHTTP2_PROTOCOL_ERROR:
    case NGHTTP2_FLOW_CONTROL_ERROR:
    case NGHTTP2_FRAME_SIZE_ERROR:
    case NGHTTP2_COMPRESSION_ERROR:
    case NGHTTP2_HTTP_1_1_REQUIRED:
      return true;
    default:
      return false;
  }
}

}  // namespace

void ClientPool::Http2Connection::Stream::clear() {
  handler_ = nullptr;
  toHead_ = reused_ = headSeen_ = closed_ = unprocessed_ = hasLength_ = false;
  interims_ = 0;
  head_.reset();
  headSize_ = {};
  headBytes_ = 0;
  Http2Stream::clear();
}

// --- request ---

std::int32_t ClientPool::Http2Connection::Stream::submit(Http2Connection& connection, const ClientRequest& request,
                                                         ClientHandler& handler) {
  connection_ = &connection;
  handler_ = &handler;
  requestBody_ = request.body;
  toHead_ = request.method == "HEAD";
  reused_ = connection.answers() > 0;
  receivedAtStart_ = connection.bytesReceived();
  FieldList fields;
  fields.add(":method", request.method);
  fields.add(":scheme", "http");
  fields.add(":authority", findHeader(request.headers, "host").value_or("localhost"));
  fields.add(":path", request.target);
  fields.addRegular(request.headers);
  fields.add("te", "trailers");  // gRPC servers insist on it
  char length[24];
  if (request.body == BodyKind::length) {
    const char* const end = std::to_chars(length, length + sizeof length, request.length).ptr;
    fields.add("content-length", {length, end});
  }
  finished_ = request.body == BodyKind::none;
  const nghttp2_data_provider data = http2Body();
  return nghttp2_submit_request(connection.native(), nullptr, fields.data(), fields.size(), finished_ ? nullptr : &data,
                                static_cast<Http2Stream*>(this));
}

void ClientPool::Http2Connection::Stream::onFieldsSent(std::size_t bytes) {
  if (headBytes_ == 0) sentBefore_ = connection_->bytesQueued();
  headBytes_ += bytes + kFrameHead;
}

bool ClientPool::Http2Connection::Stream::write(std::string_view data) {
  if (over() || finished_ || data.empty()) return true;
  return enqueue(data);
}

void ClientPool::Http2Connection::Stream::finish(std::span<const Header> trailers) {
  if (over() || finished_) return;
  finishSending(requestBody_ == BodyKind::chunked ? trailers : std::span<const Header>{});
}

void ClientPool::Http2Connection::Stream::onDrained() {
  handler_->onWritable();
}

std::uint64_t ClientPool::Http2Connection::Stream::bytesWritten() const {
  if (unprocessed_ || headBytes_ == 0 || connection_->bytesSent() <= sentBefore_) return 0;
  return headBytes_ + sentBytes();
}

void ClientPool::Http2Connection::Stream::cancel() {
  if (over()) return;
  handler_ = nullptr;
  if (!closed_ && !connection_->closed()) connection_->reset(id(), NGHTTP2_CANCEL);
  end();
}

// --- answer ---

void ClientPool::Http2Connection::Stream::beginFields() {
  if (headSeen_) return;  // trailers
  auto& spare = connection_->pool().spareHeads;
  if (spare.empty()) {
    head_ = std::make_unique<ResponseHead>();
  } else {
    head_ = std::move(spare.back());
    spare.pop_back();
  }
  std::construct_at(head_.get());
  headSize_ = {};
  hasLength_ = false;
}

bool ClientPool::Http2Connection::Stream::onField(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (headSeen_) return keepTrailer(name, value);
  if (!headSize_.add(textOf(name), textOf(value), connection_->limits().headBytes, connection_->limits().headFields)) return false;
  const std::string_view text = textOf(value);
  if (textOf(name) == ":status") {
    std::from_chars(text.data(), text.data() + text.size(), head_->status);  // three digits, as nghttp2 has seen to
    return head_->status >= 100;
  }
  if (textOf(name) == "content-length") {
    hasLength_ = true;
    if (std::from_chars(text.data(), text.data() + text.size(), head_->length).ec != std::errc{}) return false;
  }
  return head_->headers.push({held_.hold(name), held_.hold(value)});
}

void ClientPool::Http2Connection::Stream::onFields(bool last) {
  if (headSeen_) return receiveEnd();  // trailers
  head_->reason = reasonPhrase(head_->status);
  head_->size = headSize_.bytes;
  if (head_->status >= 200)
    takeHead(last);
  else
    takeInterim();
  connection_->pool().spareHeads.push_back(std::move(head_));
  held_.clear();
  if (!over() && last) receiveEnd();
}

void ClientPool::Http2Connection::Stream::takeHead(bool last) {
  headSeen_ = true;
  const bool bodiless = toHead_ || head_->status == 204 || head_->status == 304;
  if (last || bodiless)
    head_->body = BodyKind::none;  // the length is what a GET would have had: passed on for HEAD
  else if (hasLength_)
    head_->body = head_->length > 0 ? BodyKind::length : BodyKind::none;
  else
    head_->body = BodyKind::chunked;
  handler_->onHead(*head_);
}

void ClientPool::Http2Connection::Stream::takeInterim() {
  if (++interims_ > kMaxInterims) {
    connection_->reset(id(), NGHTTP2_PROTOCOL_ERROR);
    return fail(ClientFailure::protocol);
  }
  if (head_->status != 100) handler_->onInterim(*head_);
}

void ClientPool::Http2Connection::Stream::onData(std::string_view part) {
  handler_->onBody(part);
}

void ClientPool::Http2Connection::Stream::onDataEnd() {
  ClientHandler* const handler = std::exchange(handler_, nullptr);
  if (!endSent_ && !closed_ && !connection_->closed()) connection_->reset(id(), NGHTTP2_CANCEL);  // the rest of the request
  connection_->answered();
  end();
  handler->onEnd(receivedTrailers());
}

// --- ends ---

void ClientPool::Http2Connection::Stream::onClosed(std::uint32_t error) {
  closed_ = true;
  if (remoteEnded_) return;  // the answer is whole, and on its way to the handler
  if (error == NGHTTP2_REFUSED_STREAM) return refuse();
  fail(isProtocolError(error) ? ClientFailure::protocol : ClientFailure::closed);
}

void ClientPool::Http2Connection::Stream::onCut() {
  closed_ = true;
  if (connection_->abandoned()) {
    handler_ = nullptr;
    return end();
  }
  if (remoteEnded_) return;
  if (!connection_->reached()) return fail(connection_->noConnection());
  if (connection_->failed()) return fail(ClientFailure::protocol);
  const bool stale = reused_ && connection_->bytesReceived() == receivedAtStart_;
  fail(stale ? ClientFailure::staleClosed : ClientFailure::closed);
}

void ClientPool::Http2Connection::Stream::refuse() {
  unprocessed_ = true;
  if (!closed_) connection_->reset(id(), NGHTTP2_CANCEL);
  fail(ClientFailure::staleClosed);
}

void ClientPool::Http2Connection::Stream::fail(ClientFailure failure) {
  ClientHandler* const handler = std::exchange(handler_, nullptr);
  end();
  if (handler) handler->onFailure(failure);
}

}  // namespace pilotlight::net
