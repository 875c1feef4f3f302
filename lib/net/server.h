// An HTTP server on one loop, streaming both ways: HTTP/1.1, and HTTP/2, which a client chooses by ALPN with TLS, and without it
// by beginning with its preface (RFC 9113 3.3).
//
// An HTTP/1.1 connection carries one Exchange at a time; pipelined requests wait their turn in the connection's buffer, and
// per request nothing is allocated by the server itself. An HTTP/2 connection carries one Exchange per stream. Back-pressure:
// while the body is paused no more of it is taken; write() says when the client is slower than the handler. Bounds: head size,
// header count, streams, idle and head time.
// Thread-safety: loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

#include "net/http1.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pilotlight::net {

class Exchange;
class TlsAcceptor;

/// Bytes of a request's body that a paused exchange of HTTP/2 keeps at most: what RFC 9113 begins with.
inline constexpr std::size_t kHttp2StreamWindow = 65535;

/// The application's side of one request. It must outlive the exchange, which ends with onEnd().
class ExchangeHandler {
 public:
  virtual void onBody(Exchange& exchange, std::string_view part) = 0;
  virtual void onBodyEnd(Exchange& exchange) = 0;
  /// The output buffer has drained after write() returned false.
  virtual void onWritable(Exchange&) {}
  /// The last callback: the response is completely handed to the kernel (`complete`), or the client went away or broke
  /// the protocol, or abort() was called. The exchange must not be touched afterwards.
  virtual void onEnd(Exchange& exchange, bool complete) = 0;

 protected:
  ~ExchangeHandler() = default;
};

struct ResponseBody {
  /// none, length, chunked (any length; framed by the server, close-delimited for HTTP/1.0), or, with status 101, tunnel.
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;
};

/// One request and its response. Views of head() stay valid until onEnd().
///
/// Tunnels: after sendHead(101, …, {BodyKind::tunnel}) to a request whose head().upgrade is not empty, onBody() and write()
/// carry raw bytes, onBodyEnd() says once more that the client has closed its direction and finish() closes ours; the exchange ends when
/// both are closed.
class Exchange {
 public:
  virtual const RequestHead& head() const = 0;
  virtual const Address& peer() const = 0;
  virtual Loop& loop() = 0;
  virtual Clock::time_point started() const = 0;  ///< when the head was complete
  virtual bool secure() const = 0;                ///< over TLS

  /// Body parts are delivered from the moment the application returns its handler, unless paused before.
  virtual void pauseBody() = 0;
  virtual void resumeBody() = 0;
  virtual bool bodyComplete() const = 0;
  /// Trailer fields of the request; complete from onBodyEnd() on.
  virtual std::span<const Header> trailers() const = 0;

  /// 100 Continue if the client expects it; call once the request will be read.
  virtual void sendContinue() = 0;
  /// An interim answer (1xx but 100 and 101) before the head; dropped for clients of HTTP/1.0.
  virtual void sendInterim(int status, std::span<const Header> headers) = 0;
  /// Framing fields (Content-Length, Transfer-Encoding, Connection) and Date are the server's own: leave them out.
  virtual void sendHead(int status, std::string_view reason, std::span<const Header> headers, ResponseBody body) = 0;
  /// False: more than the high-water mark is waiting; go on at onWritable().
  virtual bool write(std::string_view data) = 0;
  /// Ends the response; with BodyKind::length all bytes must have been written, else the connection is cut.
  void finish() { finish({}); }
  /// The same with trailer fields, which only BodyKind::chunked can carry: dropped otherwise.
  virtual void finish(std::span<const Header> trailers) = 0;
  /// sendHead + write + finish.
  void respond(int status, std::string_view contentType, std::string_view body, std::span<const Header> extra = {});
  /// Cuts the connection, of HTTP/2 the stream, so that the client sees a broken response. onEnd(false) follows, possibly at once.
  virtual void abort() = 0;
  /// The connection closes after this response. Of HTTP/2, only if the request is complete: else its stream ends, which is all
  /// that it takes to leave the rest of a body unread.
  virtual void closeAfter() = 0;
  virtual bool headSent() const = 0;
  virtual std::uint64_t bytesSent() const = 0;      ///< body bytes
  virtual std::uint64_t bytesReceived() const = 0;  ///< body bytes

 protected:
  ~Exchange() = default;
};

/// Decides who handles a request. May answer at once (exchange.respond()) and return nullptr.
class Application {
 public:
  virtual ExchangeHandler* onRequest(Exchange& exchange) = 0;

 protected:
  ~Application() = default;
};

struct ServerOptions {
  HeadLimits head;
  std::chrono::milliseconds headTimeout{std::chrono::seconds(10)};    ///< first byte to end of head; then 408
  std::chrono::milliseconds idleTimeout{std::chrono::seconds(75)};    ///< between requests
  std::chrono::milliseconds sendTimeout{std::chrono::seconds(60)};    ///< no progress in sending
  std::chrono::milliseconds drainIdle{500};                           ///< drain() waits so long for a request on its way
  std::chrono::milliseconds discardTimeout{std::chrono::seconds(5)};  ///< for the rest of a body whose request is answered
  std::chrono::milliseconds lingerTimeout{std::chrono::seconds(2)};   ///< for a client to close after we have
  std::size_t discardBytes = 256 * 1024;  ///< of a body whose request is answered, read so that the connection can stay
  std::size_t maxConnections = 60000;
  std::size_t highWater = 64 * 1024;                                     ///< unsent bytes after which write() returns false
  bool http2 = true;                                                     ///< take connections that begin with the preface of HTTP/2
  std::uint32_t maxStreams = 256;                                        ///< at once on one HTTP/2 connection
  std::chrono::milliseconds handshakeTimeout{std::chrono::seconds(10)};  ///< of TLS
  std::size_t handshakes = 1000;                                         ///< of TLS at once; one more ends the oldest
};

class Server {
 public:
  Server(Loop& loop, Application& application, ServerOptions options = {});
  ~Server();  ///< cuts what is open
  /// Several are possible. With `tls`, which outlives the server, connections are taken with TLS only.
  void listen(Fd listener, TlsAcceptor* tls = nullptr);
  /// Takes no new connections, but serves those that clients already have; each closes after its current response, or the one
  /// to a request that comes within ServerOptions::drainIdle. `done` runs once when none is left.
  void drain(std::function<void()> done);
  /// The same, but the listening sockets are others' too, who go on with them.
  void leave(std::function<void()> done);
  /// While memory is short: accepts nobody, and lets little of an answer wait for a client that is slow to read it.
  void spareMemory(bool on);
  std::size_t connections() const;
  std::size_t busy() const;  ///< open exchanges

 private:
  class Peer;
  class Connection;
  class Http2Connection;
  class Handshake;
  class Listener;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::net
