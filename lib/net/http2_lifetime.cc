// The life of a connection of HTTP/2: ends of streams, goodbyes, deadlines.
#include <sys/socket.h>

#include <algorithm>

#include "net/http2_stream.h"

namespace pilotlight::net {

namespace {
constexpr std::chrono::milliseconds kNoticeTime{500};  // for streams on their way when we say goodbye
}  // namespace

// --- streams ---

void Http2Session::add(std::unique_ptr<Http2Stream> stream, std::int32_t id) {
  stream->open(*this, id);
  stream->place = streams_.size();
  streams_.push_back(std::move(stream));
}

void Http2Session::ended(Http2Stream& stream) {
  const std::size_t place = stream.place;
  ended_.push_back(std::move(streams_[place]));
  if (place + 1 != streams_.size()) {
    streams_[place] = std::move(streams_.back());
    streams_[place]->place = place;
  }
  streams_.pop_back();
  if (streams_.empty()) since_ = loop_.now();
  if (closed())
    leave();
  else
    wake();
}

void Http2Session::touch(Http2Stream& stream) {
  if (stream.touched || stream.over()) return;
  stream.touched = true;
  touched_.push_back(&stream);
}

/// After all was sent that could be: tells the streams, and forgets those that have ended.
void Http2Session::settle() {
  const std::size_t count = touched_.size();
  for (std::size_t i = 0; i < count; ++i) {
    touched_[i]->touched = false;
    touched_[i]->afterFlush(out_.empty());
  }
  if (closed()) return;
  touched_.erase(touched_.begin(), touched_.begin() + static_cast<std::ptrdiff_t>(count));
  if (resets_.empty()) recycleEnded();  // else with the next flush: what they wrote goes first
  if (streams_.empty()) onQuiet();
  if (closed()) return;
  const bool nothingToDo = !nghttp2_session_want_read(native_) && !nghttp2_session_want_write(native_) && out_.empty();
  if (nothingToDo && (streams_.empty() || failed_)) return role_ == Role::server ? linger() : close();
  if (mayRead() && !resume_.armed()) loop_.arm(resume_, loop_.now());  // what was left unread while nothing could be sent
  watch();
}

void Http2Session::recycleEnded() {
  for (auto& stream : ended_) {
    if (stream->touched) std::erase(touched_, stream.get());
    nghttp2_session_set_stream_user_data(native_, stream->id(), nullptr);
    if (stream->unread() > 0) {
      nghttp2_session_consume_connection(native_, stream->unread());
      wake();
    }
    unsent_ -= stream->unsent();
    grown_ -= stream->grown;
    stream->clear();
    recycle(std::move(stream));
  }
  ended_.clear();
}

void Http2Session::endStreams() {
  std::vector<Http2Stream*> open;
  for (const auto& stream : streams_) open.push_back(stream.get());
  for (Http2Stream* stream : open)
    if (!stream->over()) stream->onCut();  // else ended by another's end
}

// --- ends ---

void Http2Session::announceEnd() {
  if (drain_ != Drain::no || state_ != State::open) return;
  drain_ = Drain::notice;
  noticeSince_ = loop_.now();
  nghttp2_submit_shutdown_notice(native_);
  wake();
}

void Http2Session::onGoawaySent(std::uint32_t error) {
  if (error != NGHTTP2_NO_ERROR) failed_ = true;
  // Sent after the notice, its answer says that the notice has been read.
  if (drain_ == Drain::notice) nghttp2_submit_ping(native_, NGHTTP2_FLAG_NONE, nullptr);
}

void Http2Session::onPingAnswered() {
  if (drain_ == Drain::notice) goAway();
}

void Http2Session::goAway() {
  if (drain_ == Drain::final) return;
  drain_ = Drain::final;
  noticeSince_ = Clock::time_point::max();
  nghttp2_submit_goaway(native_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(native_), NGHTTP2_NO_ERROR, nullptr, 0);
  wake();
}

void Http2Session::terminate(std::uint32_t error) {
  nghttp2_session_terminate_session(native_, error);
  wake();
  endStreams();
}

/// Closing at once could lose what was sent last: a peer that sends into a closed socket has it reset.
void Http2Session::linger() {
  endStreams();
  if (closed()) return;
  state_ = State::lingering;
  since_ = loop_.now();
  lastBytes_.watch(since_);
  wire_.end();
  readable_ = true;
  watch();
  pump();
}

void Http2Session::close() {
  if (closed()) return;
  reached_ = reached_ || state_ != State::connecting;
  state_ = State::closed;
  timer_.cancel();
  resume_.cancel();
  if (wire_) loop_.remove(wire_.fd(), *this);
  wire_.goodbye();
  wire_.reset();
  endStreams();
  leave();
}

void Http2Session::leave() {
  if (!streams_.empty() || left_) return;
  left_ = true;
  gone();
}

// --- deadlines ---

Clock::time_point Http2Session::due() const {
  Clock::time_point due = Clock::time_point::max();
  const auto by = [&](Clock::time_point since, std::chrono::milliseconds limit) {
    if (limit.count() > 0 && since != Clock::time_point::max()) due = std::min(due, since + limit);
  };
  if (state_ == State::connecting) {
    by(since_, limits_.connectTimeout);
  } else if (state_ == State::lingering) {
    by(since_, limits_.lingerTimeout);
  } else {
    by(blockSince_, limits_.headTimeout);
    by(blockedSince_, limits_.sendTimeout);
    by(noticeSince_, kNoticeTime);
    by(stallCheck_, limits_.sendTimeout);
    if (streams_.empty()) by(since_, limits_.idleTimeout);
  }
  return due;
}

/// Lazily: a timer that fires early looks again, so that a request costs no timer work.
void Http2Session::watch() {
  if (closed()) return;
  if (unsent_ > 0 && stallCheck_ == Clock::time_point::max()) stallCheck_ = loop_.now();
  const Clock::time_point at = due();
  if (at != Clock::time_point::max() && (!timer_.armed() || timer_.due() > at)) loop_.arm(timer_, at);
}

void Http2Session::onTimer() {
  const auto passed = [&](Clock::time_point since, std::chrono::milliseconds limit) {
    return limit.count() > 0 && since != Clock::time_point::max() && loop_.now() >= since + limit;
  };
  if (loop_.now() < due()) return watch();
  if (state_ == State::lingering && lastBytes_.stillTaken(wire_.fd(), loop_.now(), limits_.sendTimeout)) {
    since_ = loop_.now();
    return watch();
  }
  if (state_ != State::open || passed(blockedSince_, limits_.sendTimeout)) return close();
  if (passed(blockSince_, limits_.headTimeout)) {
    blockSince_ = Clock::time_point::max();
    terminate(NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    if (passed(noticeSince_, kNoticeTime) || (streams_.empty() && passed(since_, limits_.idleTimeout))) goAway();
    if (passed(stallCheck_, limits_.sendTimeout)) cutStalled();
  }
  watch();
}

/// A client that opens no window for an answer has it no longer.
void Http2Session::cutStalled() {
  stallCheck_ = Clock::time_point::max();
  const Clock::time_point bound = loop_.now() - limits_.sendTimeout;
  std::vector<Http2Stream*> stalled;
  for (const auto& stream : streams_) {
    if (stream->unsent() == 0) continue;
    if (stream->progress() <= bound)
      stalled.push_back(stream.get());
    else
      stallCheck_ = std::min(stallCheck_, stream->progress());
  }
  for (Http2Stream* stream : stalled) {
    if (stream->over()) continue;
    reset(stream->id(), NGHTTP2_CANCEL);
    stream->onCut();
  }
}

}  // namespace pilotlight::net
