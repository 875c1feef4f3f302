#include "net/http2_stream.h"

#include <algorithm>

#include "net/http1_fields.h"

namespace pilotlight::net {

namespace {
constexpr std::size_t kWholeFront = 8 * 1024;  // a front as long as this goes alone, so that it is sent without being copied
}

void Http2Stream::open(Http2Session& session, std::int32_t id) {
  session_ = &session;
  id_ = id;
  over_ = false;
}

void Http2Stream::clear() {
  held_.clear();
  received_.clear();
  toSend_.clear();
  trailersToSend_.clear();
  if (trailers_) trailers_->clear();
  trailerSize_ = {};
  touched = grown = false;
  remoteEnded_ = endSent_ = finished_ = false;
  paused_ = withheld_ = delivering_ = endDelivered_ = deferred_ = wantWritable_ = false;
  receivedBytes_ = sentBytes_ = 0;
  session_ = nullptr;
}

void Http2Stream::end() {
  over_ = true;
  session_->ended(*this);
}

// --- received ---

void Http2Stream::receive(std::string_view part) {
  if (held() || delivering_ || !received_.empty()) return received_.append(part);
  receivedBytes_ += part.size();
  onData(part);
  session_->consumed(*this, part.size());
}

void Http2Stream::receiveEnd() {
  remoteEnded_ = true;
  deliver();
}

void Http2Stream::resume() {
  paused_ = false;
  deliver();
}

/// A callback of the application led here: it hears of what waits after the next flush.
void Http2Stream::release() {
  withheld_ = endDelivered_ = false;
  session_->touch(*this);
  session_->wake();
}

/// What waits, and then the end: it comes with the last byte, paused or not.
void Http2Stream::deliver() {
  if (delivering_ || over_ || withheld_) return;
  delivering_ = true;
  while (!held() && !over_ && !received_.empty()) {
    const std::string_view part = received_.front();
    receivedBytes_ += part.size();
    onData(part);
    received_.consume(part.size());
    session_->consumed(*this, part.size());
  }
  delivering_ = false;
  if (over_ || !remoteEnded_ || endDelivered_ || !received_.empty()) return;
  endDelivered_ = true;
  onDataEnd();
}

bool Http2Stream::keepTrailer(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  if (!trailerSize_.add(textOf(name), textOf(value), kTrailerBytes, kTrailerFields)) return false;
  if (!mayTrail(textOf(name))) return true;
  if (!trailers_) trailers_ = std::make_unique<Headers>();
  return trailers_->push({held_.hold(name), held_.hold(value)});
}

std::span<const Header> Http2Stream::receivedTrailers() const {
  if (!trailers_) return {};
  return {trailers_->begin(), trailers_->size()};
}

// --- to send ---

bool Http2Stream::enqueue(std::string_view data) {
  if (toSend_.empty()) progress_ = session_->loop().now();
  toSend_.append(data);
  session_->unsent(static_cast<std::ptrdiff_t>(data.size()));
  resumeSending();
  if (toSend_.size() < *session_->limits().highWater) return true;
  wantWritable_ = true;
  return false;
}

void Http2Stream::finishSending(std::span<const Header> trailers) {
  finished_ = true;
  if (!trailers.empty()) trailersToSend_.assign(trailers);
  if (endSent_) session_->touch(*this);
  resumeSending();
}

void Http2Stream::resumeSending() {
  if (deferred_) {
    deferred_ = false;
    nghttp2_session_resume_data(session_->native(), id_);
  }
  session_->wake();
}

ssize_t Http2Stream::offer(std::size_t room, std::uint32_t* flags) {
  const std::size_t front = toSend_.front().size();
  const std::size_t size = std::min(room, front >= kWholeFront ? front : toSend_.size());
  if (size == 0 && !finished_) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (size > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!finished_ || size < toSend_.size()) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (trailersToSend_.empty()) return static_cast<ssize_t>(size);
  FieldList fields;
  trailersToSend_.addTo(fields);
  if (fields.size() == 0) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  if (nghttp2_submit_trailer(session_->native(), id_, fields.data(), fields.size()) != 0) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  return static_cast<ssize_t>(size);
}

void Http2Stream::sent(std::size_t bytes) {
  toSend_.consume(bytes);
  sentBytes_ += bytes;
  session_->unsent(-static_cast<std::ptrdiff_t>(bytes));
  progress_ = session_->loop().now();
  if (wantWritable_ && toSend_.size() < *session_->limits().highWater / 2) session_->touch(*this);
}

void Http2Stream::onEndSent() {
  endSent_ = true;
  session_->touch(*this);
}

void Http2Stream::afterFlush(bool allSent) {
  if (over_) return;
  if (endSent_ && finished_) {
    if (allSent)
      onAllSent();
    else
      session_->touch(*this);
  } else if (wantWritable_ && toSend_.size() < *session_->limits().highWater / 2) {
    wantWritable_ = false;
    onDrained();
  }
  deliver();
}

}  // namespace pilotlight::net
