#include "net/http2_session.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "net/http2_callbacks.h"
#include "net/http2_stream.h"
#include "net/server.h"

namespace pilotlight::net {

namespace {

constexpr std::size_t kDirectWrite = 8 * 1024;             // larger parts are not copied
constexpr std::size_t kStreamWindow = kHttp2StreamWindow;  // nothing has to be told
constexpr std::size_t kGrownWindow = 256 * 1024;           // of a stream
constexpr std::size_t kGrowth = 4 * 1024 * 1024;           // of all streams of a connection
constexpr std::size_t kMostGrown = kGrowth / (kGrownWindow - kStreamWindow);
constexpr std::size_t kUnsentFrames = 1'000;  // that are not DATA, after which no more is read
constexpr std::size_t kFieldOverhead = 32;    // as SETTINGS_MAX_HEADER_LIST_SIZE counts it

}  // namespace

Http2Session::Http2Session(Loop& loop, Role role, const Http2Limits& limits)
    : loop_(loop),
      role_(role),
      limits_(limits),
      native_(makeHttp2Session(role, *this)),
      out_(loop),
      guard_(role == Role::server),
      resume_([this] { pump(); }),
      timer_([this] { onTimer(); }),
      since_(loop.now()) {
  submitSettings();
}

Http2Session::~Http2Session() {
  loop_.forgetFlush(*this);
  ended_.clear();
  nghttp2_session_del(native_);
}

void Http2Session::submitSettings() {
  const auto list = static_cast<std::uint32_t>(limits_.headBytes + kFieldOverhead * limits_.headFields);
  const nghttp2_settings_entry entries[] = {
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list},
      role_ == Role::server ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.maxStreams}
                            : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
  };
  nghttp2_submit_settings(native_, NGHTTP2_FLAG_NONE, entries, role_ == Role::server ? 3 : 2);
  const std::size_t window = std::min<std::size_t>(limits_.maxStreams * kStreamWindow + kGrowth, NGHTTP2_MAX_WINDOW_SIZE);
  nghttp2_session_set_local_window_size(native_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(window));
}

void Http2Session::watchSocket(Wire wire, bool connecting) {
  wire_ = std::move(wire);
  if (!connecting) {
    state_ = State::open;
    writable_ = true;            // till we hear otherwise
    readable_ = wire_.secure();  // what came with the end of the handshake has no edge of its own
  }
  if (!loop_.tryAdd(wire_.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this)) {
    wire_.reset();
    return failSoon();
  }
  watch();
}

void Http2Session::failSoon() {
  broken_ = true;
  wake();
}

// --- receiving ---

void Http2Session::onReady(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) peerClosed_ = true;
  if (state_ == State::connecting && !connected(events)) return;
  if (events & EPOLLOUT) {
    writable_ = true;
    wire_.onWritable();
  }
  pump();
}

bool Http2Session::connected(std::uint32_t events) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(wire_.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return close(), false;
  if (!(events & EPOLLOUT)) return false;
  state_ = State::open;
  since_ = loop_.now();
  return true;
}

/// A peer that takes nothing gets no more answers made for it.
bool Http2Session::mayRead() const {
  return readable_ && nghttp2_session_get_outbound_queue_size(native_) < kUnsentFrames;
}

void Http2Session::pump() {
  if (pumping_) return;
  pumping_ = true;
  char* block = loop_.takeBlock();
  while ((state_ == State::open || state_ == State::lingering) && mayRead()) {
    if (!turn_.mayWork(loop_.now())) {  // others' turn; ours goes on in the next one
      loop_.arm(resume_, loop_.now());
      break;
    }
    if (!read(block)) break;
  }
  loop_.giveBlock(block);
  pumping_ = false;
  if (!closed()) wake();
}

bool Http2Session::read(char* block) {
  bool emptied = false;
  const ssize_t got = wire_.receive(block, Loop::kBlockSize, emptied);
  if (got > 0) {
    if (emptied && !peerClosed_) readable_ = false;
    if (state_ == State::open) received({block, static_cast<std::size_t>(got)});
    return true;
  }
  if (got < 0 && errno == EINTR) return true;
  readable_ = false;
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (state_ == State::open) send();  // what is wrong with what came before is known when it is to be told
  close();
  return false;
}

void Http2Session::received(std::string_view data) {
  bytesReceived_ += data.size();
  const ssize_t used = nghttp2_session_mem_recv(native_, reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  if (closed()) return;
  if (used < 0) {
    failed_ = true;
    return close();
  }
  if (verdict_ != NGHTTP2_NO_ERROR) terminate(std::exchange(verdict_, NGHTTP2_NO_ERROR));
}

void Http2Session::consumed(Http2Stream& stream, std::size_t bytes) {
  if (closed()) return;
  nghttp2_session_consume(native_, stream.id(), bytes);
  if (!stream.grown && grown_ < kMostGrown && stream.wantsMore() && stream.received() > kStreamWindow / 2) {
    stream.grown = true;
    ++grown_;
    nghttp2_session_set_local_window_size(native_, NGHTTP2_FLAG_NONE, stream.id(), kGrownWindow);
  }
  wake();
}

// --- sending ---

void Http2Session::flush() {
  if (closed()) return;
  if (broken_) return close();
  if (state_ != State::open) return recycleEnded();
  const std::uint64_t before = bytesSent_;
  bool sound = send();
  if (sound && !resets_.empty()) {
    for (const std::int32_t id : resets_) reset(id, NGHTTP2_INTERNAL_ERROR);
    resets_.clear();
    sound = send();
  }
  if (!sound) {
    // The peer may have answered before it closed.
    readable_ = true;
    pump();
    return close();
  }
  if (out_.empty())
    blockedSince_ = Clock::time_point::max();
  else if (bytesSent_ != before || blockedSince_ == Clock::time_point::max())
    blockedSince_ = loop_.now();
  settle();
}

bool Http2Session::send() {
  while (writable_ && !closed()) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(native_, &data);
    if (size < 0) return false;
    queue({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
    if ((size == 0 || out_.size() >= Loop::kBlockSize) && !push()) return false;
    if (size == 0) break;
  }
  return true;
}

bool Http2Session::push() {
  const auto sent = out_.flush(wire_, bytesSent_);
  writable_ = sent == OutBuffer::Sent::all;
  return sent != OutBuffer::Sent::failed;
}

void Http2Session::queue(std::string_view bytes) {
  out_.append(bytes);
  bytesQueued_ += bytes.size();
}

int Http2Session::sendPart(Http2Stream& stream, const std::uint8_t* frameHead, std::size_t size) {
  constexpr std::size_t kFrameHead = 9;
  queue({reinterpret_cast<const char*>(frameHead), kFrameHead});
  while (size > 0) {
    const std::string_view part = stream.front(size);
    if (part.size() >= kDirectWrite && writable_) {
      bytesQueued_ += part.size();
      const auto sent = out_.sendThrough(wire_, part, bytesSent_);
      writable_ = sent == OutBuffer::Sent::all;
      if (sent == OutBuffer::Sent::failed) return NGHTTP2_ERR_CALLBACK_FAILURE;
    } else {
      queue(part);
    }
    size -= part.size();
    stream.sent(part.size());
  }
  if (writable_ && out_.size() >= Loop::kBlockSize && !push()) return NGHTTP2_ERR_CALLBACK_FAILURE;
  return writable_ ? 0 : NGHTTP2_ERR_PAUSE;
}

void Http2Session::unsent(std::ptrdiff_t change) {
  unsent_ += static_cast<std::size_t>(change);
}

void Http2Session::reset(std::int32_t id, std::uint32_t error) {
  nghttp2_submit_rst_stream(native_, NGHTTP2_FLAG_NONE, id, error);
  wake();
}

void Http2Session::resetAfterFlush(std::int32_t id) {
  resets_.push_back(id);
  wake();
}

}  // namespace pilotlight::net
