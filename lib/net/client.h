// HTTP client connections on one loop, streaming both ways, and a pool per address: of idle HTTP/1.1 connections, or of HTTP/2
// connections (without TLS, prior knowledge) whose streams are shared.
// Thread-safety: loop thread only. Nothing is allocated per request on a pooled HTTP/1.1 connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/http1.h"
#include "net/loop.h"
#include "net/socket.h"

namespace pilotlight::net {

enum class ClientFailure {
  connect,      ///< no connection: nothing was sent
  refused,      ///< the same, and nobody listens there (of HTTP/2: `connect`)
  exhausted,    ///< no connection, for want of descriptors, ports or memory of ours: nothing was sent
  staleClosed,  ///< a pooled connection was closed by the peer before any byte of the answer
  closed,       ///< closed before the answer was complete
  protocol,     ///< the answer could not be understood
};
std::string_view toString(ClientFailure failure);

class ClientHandler {
 public:
  virtual void onInterim(const ResponseHead&) {}      ///< 1xx but 100 and 101. Views end with the callback
  virtual void onHead(const ResponseHead& head) = 0;  ///< the final head, or 101 to a request to upgrade. Views end with the callback
  virtual void onBody(std::string_view part) = 0;
  /// Of a tunnel: the peer has closed its direction; ours stays open until finish().
  virtual void onPeerEnd() {}
  /// The answer is complete (a tunnel: both directions are closed); the connection is given back. The trailers' views end with
  /// the callback.
  virtual void onEnd(std::span<const Header> trailers) = 0;
  virtual void onWritable() {}  ///< after write() returned false
  /// Ends the call. `headSeen`: onHead() was called.
  virtual void onFailure(ClientFailure failure) = 0;

 protected:
  ~ClientHandler() = default;
};

/// One request in progress. Ends with onEnd(), onFailure() or cancel(); must not be touched afterwards.
class ClientCall {
 public:
  /// False: the peer is slower; go on at onWritable().
  virtual bool write(std::string_view bodyPart) = 0;
  void finish() { finish({}); }                               ///< the request body is complete; of a tunnel: closes our direction
  virtual void finish(std::span<const Header> trailers) = 0;  ///< trailers: only with BodyKind::chunked, dropped otherwise
  virtual void pauseBody() = 0;                               ///< of the answer
  virtual void resumeBody() = 0;
  virtual void cancel() = 0;                       ///< closes the connection, of HTTP/2 the stream; no callback follows
  virtual std::uint64_t bytesWritten() const = 0;  ///< bytes of this request handed to the kernel; 0: safe to send again elsewhere

 protected:
  ~ClientCall() = default;
};

struct ClientRequest {
  std::string_view method, target;
  std::span<const Header> headers;  ///< without framing fields and Connection; Host is required
  BodyKind body = BodyKind::none;   ///< none, length or chunked (any length)
  std::uint64_t length = 0;
  std::string_view upgrade{};  ///< the protocol to upgrade to; empty: none. HTTP/2 has no upgrade: an ordinary request there
};

enum class Protocol : std::uint8_t { http1, h2c };

struct ClientOptions {
  std::chrono::milliseconds connectTimeout{std::chrono::seconds(1)};
  std::chrono::milliseconds idleTimeout{std::chrono::seconds(60)};
  std::size_t maxIdlePerAddress = 64;
  std::size_t highWater = 64 * 1024;
  std::uint32_t maxStreams = 256;  ///< at once on one HTTP/2 connection, if the peer allows as many; then another one is opened
  HeadLimits head;
  std::string sourceIp;  ///< bind before connecting; empty: the kernel's choice
};

class ClientPool {
 public:
  /// An address, the protocol spoken there, and its idle connections. Stays valid until forget().
  class Peer;

  explicit ClientPool(Loop& loop, ClientOptions options = {});
  ~ClientPool();  ///< calls in progress are cancelled

  /// The handle of an address, for callers that use it often.
  Peer& peer(const Address& address, Protocol protocol = Protocol::http1);
  /// Starts a request; the head goes out together with the first body bytes of this turn. The handler is not called
  /// back before call() has returned. `fresh` avoids idle connections (for a retry after staleClosed).
  ClientCall* call(Peer& to, const ClientRequest& request, ClientHandler& handler, bool fresh = false);
  ClientCall* call(const Address& to, const ClientRequest& request, ClientHandler& handler, bool fresh = false) {
    return call(peer(to), request, handler, fresh);
  }
  /// Closes the idle connections to an address, and those in use when they end.
  void forget(const Address& to);
  /// While memory is short: lets little of a request wait for a peer that is slow to read it.
  void spareMemory(bool on);
  std::size_t idle() const;

 private:
  class Connection;
  class Http2Connection;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::net
