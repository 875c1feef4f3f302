// One stream of an Http2Session: bytes both ways, with back-pressure. Internal to lib/net. What the streams of a server and of
// a client have in common; see http2_exchange.h and http2_call.h for what they mean.
#pragma once

#include <memory>
#include <span>

#include "net/block_queue.h"
#include "net/http2_fields.h"
#include "net/http2_session.h"

namespace pilotlight::net {

class Http2Stream {
 public:
  explicit Http2Stream(Loop& loop) : received_(loop), toSend_(loop) {}
  virtual ~Http2Stream() = default;
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  std::size_t place = 0;  // in the session's list
  bool touched = false;   // in the session's list of those to be told of a flush
  bool grown = false;     // has a larger window
  std::int32_t id() const { return id_; }
  bool over() const { return over_; }                        // has seen its last callback
  std::uint64_t received() const { return receivedBytes_; }  // by the application
  std::size_t unread() const { return received_.size(); }
  std::size_t unsent() const { return toSend_.size(); }
  Clock::time_point progress() const { return progress_; }

  // The session's side
  void open(Http2Session& session, std::int32_t id);
  virtual void clear();  // forgets all of one life; the object is reused
  virtual void beginFields() = 0;
  virtual bool onField(nghttp2_rcbuf* name, nghttp2_rcbuf* value) = 0;  // false: refuse the stream
  virtual void onFields(bool last) = 0;
  virtual void onFieldsSent(std::size_t) {}  // the frame's length
  void receive(std::string_view part);
  void receiveEnd();
  bool wantsMore() const { return !held() && !remoteEnded_ && received_.empty(); }
  ssize_t offer(std::size_t room, std::uint32_t* flags);  // how much of toSend_ goes into the next frame
  std::string_view front(std::size_t most) const { return toSend_.front().substr(0, most); }
  void sent(std::size_t bytes);  // the front of toSend_
  void onEndSent();
  void afterFlush(bool allSent);
  virtual void onClosed(std::uint32_t error) = 0;  // by a reset, or after both ends
  virtual void onCut() = 0;                        // the connection has gone, or the stream has stalled: end

 protected:
  virtual void onData(std::string_view part) = 0;
  virtual void onDataEnd() = 0;
  virtual void onAllSent() = 0;  // our end is with the kernel
  virtual void onDrained() = 0;  // less waits after enqueue() returned false

  bool enqueue(std::string_view data);  // false: more than the high-water mark waits
  void finishSending(std::span<const Header> trailers);
  void pause() { paused_ = true; }
  void resume();
  void deliver();
  void withhold() { withheld_ = true; }  // data, until release(): it is not the message's body
  void release();                        // and the end, though one was delivered before
  bool endDelivered() const { return endDelivered_; }
  void setEndDelivered() { endDelivered_ = true; }
  std::uint64_t sentBytes() const { return sentBytes_; }  // of the body, in frames
  bool keepTrailer(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  std::span<const Header> receivedTrailers() const;
  void end();  // before the last callback

  Http2Session* session_ = nullptr;
  HeldBuffers held_;
  bool remoteEnded_ = false;  // the peer's last byte has come, though perhaps not been delivered
  bool endSent_ = false;      // our end is in a frame
  bool finished_ = false;     // no more will be written
  std::uint64_t receivedBytes_ = 0;

 private:
  bool held() const { return paused_ || withheld_; }
  void resumeSending();

  std::int32_t id_ = 0;
  bool over_ = true;
  BlockQueue received_;  // what came while paused
  bool paused_ = false, withheld_ = false, delivering_ = false, endDelivered_ = false;
  BlockQueue toSend_;
  bool deferred_ = false;  // nghttp2 waits to be told of more
  bool wantWritable_ = false;
  std::uint64_t sentBytes_ = 0;
  Clock::time_point progress_{};  // toSend_ was empty, or got shorter
  StoredFields trailersToSend_;
  std::unique_ptr<Headers> trailers_;  // received
  SectionSize trailerSize_;
};

}  // namespace pilotlight::net
