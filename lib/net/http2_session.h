// One connection of HTTP/2 (RFC 9113) on nghttp2, of either side: its socket, frames, windows, floods and deadlines. What its
// streams mean is up to http2_server and http2_client. Internal to lib/net; loop thread only. Edge-triggered, like HTTP/1.1.
//
// Windows: a stream may send kStreamWindow bytes that the application does not take, and the connection's window is the sum of
// its streams': a paused stream never holds up another one. Streams whose data is taken get kGrownWindow, for speed over
// distance, while the connection has some to give. So what one connection keeps unread is at most maxStreams * kStreamWindow +
// kGrowth bytes, and only a peer that fills every stream gets there.
//
// Order: nghttp2's callbacks run the applications' ones, but no stream object dies and nothing is sent before flush().
#pragma once

#include <nghttp2/nghttp2.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http2_guard.h"
#include "net/loop.h"
#include "net/out_buffer.h"
#include "net/socket.h"

namespace pilotlight::net {

class Http2Stream;

struct Http2Limits {
  std::uint32_t maxStreams = 256;
  std::size_t headBytes = 16 * 1024, headFields = 100;
  const std::size_t* highWater = nullptr;    ///< unsent bytes of a stream; the owner's, which may change
  std::chrono::milliseconds headTimeout{0};  ///< of a header block; 0: none
  std::chrono::milliseconds idleTimeout{0};  ///< without streams
  std::chrono::milliseconds sendTimeout{0};  ///< no progress in sending, of the connection or of a stream; 0: none
  std::chrono::milliseconds connectTimeout{0};
  std::chrono::milliseconds lingerTimeout{0};  ///< of the server's side, for the peer to close
};

class Http2Session : public Pollable, public Flusher {
 public:
  enum class Role : std::uint8_t { server, client };

  void onReady(std::uint32_t events) final;
  void flush() final;

  // For its streams
  nghttp2_session* native() const { return native_; }
  Loop& loop() { return loop_; }
  const Http2Limits& limits() const { return limits_; }
  bool closed() const { return state_ == State::closed; }
  bool secure() const { return wire_.secure(); }
  void wake() { loop_.flushSoon(*this); }
  void consumed(Http2Stream& stream, std::size_t bytes);      ///< the application has taken them
  void unsent(std::ptrdiff_t change);                         ///< of all the streams' bytes that wait
  void touch(Http2Stream& stream);                            ///< its afterFlush() is called
  void reset(std::int32_t id, std::uint32_t error);           ///< RST_STREAM, ahead of what waits
  void resetAfterFlush(std::int32_t id);                      ///< INTERNAL_ERROR, after what can be sent now
  void ended(Http2Stream& stream);                            ///< it has seen its last callback
  std::uint64_t bytesQueued() const { return bytesQueued_; }  ///< for the socket, ever
  std::uint64_t bytesSent() const { return bytesSent_; }      ///< taken by the kernel, ever
  std::uint64_t bytesReceived() const { return bytesReceived_; }

 protected:
  Http2Session(Loop& loop, Role role, const Http2Limits& limits);
  virtual ~Http2Session();

  /// The server's side of a stream that the peer opens.
  virtual Http2Stream* accept(std::int32_t id) = 0;
  /// A stream's object is free for another one.
  virtual void recycle(std::unique_ptr<Http2Stream> stream) = 0;
  /// Closed, and no stream is left: the owner destroys this object, at the end of the turn.
  virtual void gone() = 0;
  virtual void onPeerSettings() {}
  virtual void onPeerGoaway() {}
  virtual void onQuiet() {}  ///< the last stream has ended

  void watchSocket(Wire wire, bool connecting);
  void received(std::string_view data);
  void failSoon();  ///< there is no socket: told from flush()
  void add(std::unique_ptr<Http2Stream> stream, std::int32_t id);
  const std::vector<std::unique_ptr<Http2Stream>>& streams() const { return streams_; }
  /// Counts as a step of this turn of the loop.
  void spend() { turn_.mayWork(loop_.now()); }
  /// Lets the peer know that no more streams are taken, without losing one that is on its way; ends with the last one.
  void announceEnd();
  /// The same at once; a stream on its way is refused.
  void goAway();
  void terminate(std::uint32_t error);  ///< ends all streams, tells the peer why
  void close();                         ///< now; streams end, but for those that only have to be delivered
  void endStreams();
  bool connecting() const { return state_ == State::connecting; }
  bool failed() const { return failed_; }    // one side broke the protocol of the connection
  bool reached() const { return reached_; }  // there was a connection; known once it has gone

 private:
  friend struct Http2Callbacks;
  enum class State : std::uint8_t {
    connecting,
    open,
    lingering,  // our side is closed; reads until the peer's is
    closed,
  };
  enum class Drain : std::uint8_t { no, notice, final };

  void submitSettings();
  void onGoawaySent(std::uint32_t error);
  void onPingAnswered();
  bool connected(std::uint32_t events);
  void pump();
  bool read(char* block);
  bool send();  // false: the connection is broken
  bool push();
  void queue(std::string_view bytes);
  int sendPart(Http2Stream& stream, const std::uint8_t* frameHead, std::size_t size);  // of DATA; an answer for nghttp2
  bool mayRead() const;
  void settle();
  void recycleEnded();
  void linger();
  void leave();
  Clock::time_point due() const;
  void watch();
  void onTimer();
  void cutStalled();

  Loop& loop_;  // outlives the owner, which may go before a closed connection does
  const Role role_;
  const Http2Limits limits_;
  nghttp2_session* native_ = nullptr;
  Wire wire_;
  State state_ = State::connecting;
  Drain drain_ = Drain::no;
  bool readable_ = false, writable_ = false, peerClosed_ = false, pumping_ = false, broken_ = false;
  std::uint32_t verdict_ = NGHTTP2_NO_ERROR;  // the guard's, to be told and ended with
  bool failed_ = false;
  bool reached_ = false, left_ = false;
  OutBuffer out_;
  std::uint64_t bytesQueued_ = 0, bytesSent_ = 0, bytesReceived_ = 0;
  std::size_t unsent_ = 0;
  std::size_t grown_ = 0;  // streams with a larger window
  std::vector<std::unique_ptr<Http2Stream>> streams_;
  std::vector<std::unique_ptr<Http2Stream>> ended_;  // until flush()
  std::vector<Http2Stream*> touched_;
  std::vector<std::int32_t> resets_;
  Http2Guard guard_;
  TurnBudget turn_;
  Timer resume_;
  Timer timer_;
  LastBytes lastBytes_;        // while lingering
  Clock::time_point since_{};  // connecting, quiet, lingering: from when on
  Clock::time_point blockSince_ = Clock::time_point::max();
  Clock::time_point noticeSince_ = Clock::time_point::max();
  Clock::time_point blockedSince_ = Clock::time_point::max();
  Clock::time_point stallCheck_ = Clock::time_point::max();
};

}  // namespace pilotlight::net
