// An HTTP/1.1 server on one loop, streaming both ways.
//
// A connection carries one Exchange at a time; pipelined requests wait their turn in the connection's buffer. Per request
// nothing is allocated by the server itself. Back-pressure: while the body is paused the socket is not read; write() says
// when the client is slower than the handler. Bounds: head size, header count, idle and head time.
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
  BodyKind kind = BodyKind::none;  ///< none, length, or chunked (framed by the server; close-delimited for HTTP/1.0)
  std::uint64_t length = 0;
};

/// One request and its response. Views of head() stay valid until onEnd().
class Exchange {
 public:
  virtual const RequestHead& head() const = 0;
  virtual const Address& peer() const = 0;
  virtual Loop& loop() = 0;
  virtual Clock::time_point started() const = 0;  ///< when the head was complete

  /// Body parts are delivered from the moment the application returns its handler, unless paused before.
  virtual void pauseBody() = 0;
  virtual void resumeBody() = 0;
  virtual bool bodyComplete() const = 0;

  /// 100 Continue if the client expects it; call once the request will be read.
  virtual void sendContinue() = 0;
  /// Framing fields (Content-Length, Transfer-Encoding, Connection) and Date are the server's own: leave them out.
  virtual void sendHead(int status, std::string_view reason, std::span<const Header> headers, ResponseBody body) = 0;
  /// False: more than the high-water mark is waiting; go on at onWritable().
  virtual bool write(std::string_view data) = 0;
  /// Ends the response; with BodyKind::length all bytes must have been written, else the connection is cut.
  virtual void finish() = 0;
  /// sendHead + write + finish.
  void respond(int status, std::string_view contentType, std::string_view body, std::span<const Header> extra = {});
  /// Cuts the connection, so that the client sees a broken response. onEnd(false) follows, possibly at once.
  virtual void abort() = 0;
  /// The connection closes after this response.
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
  std::chrono::milliseconds headTimeout{std::chrono::seconds(10)};  ///< first byte to end of head; then 408
  std::chrono::milliseconds idleTimeout{std::chrono::seconds(75)};  ///< between requests
  std::chrono::milliseconds sendTimeout{std::chrono::seconds(60)};  ///< no progress in sending
  std::size_t maxConnections = 60000;
  std::size_t highWater = 64 * 1024;  ///< unsent bytes after which write() returns false
};

class Server {
 public:
  Server(Loop& loop, Application& application, ServerOptions options = {});
  ~Server();                 ///< cuts what is open
  void listen(Fd listener);  ///< several are possible
  /// Closes the listeners and idle connections; connections close after their current response.
  /// `done` runs once when none is left.
  void drain(std::function<void()> done);
  std::size_t connections() const;
  std::size_t busy() const;  ///< connections with an open exchange

 private:
  class Connection;
  class Listener;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::net
