// The seam between the server of a function, which is the same for all runtimes, and the way its handler is called.
// Loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string_view>

#include "net/server.h"

namespace pilotlight::shim {

/// The server's side of one admitted request, holding one slot. Used by the invocation; owned by the server.
///
/// An invocation ends by exactly one call of finish(), fail(), refuse(), cut() or released(), which gives it back to its invoker.
/// When the client went away or the time was over, the server has told Invocation::cancel(); from then on what is
/// written goes nowhere, the ending call only says that the handler is done, and head() must not be used.
class Call {
 public:
  virtual const net::RequestHead& head() const = 0;
  virtual std::string_view requestId() const = 0;
  virtual std::chrono::system_clock::time_point deadline() const = 0;
  virtual bool cancelled() const = 0;

  virtual void pauseBody() = 0;  ///< of the request
  virtual void resumeBody() = 0;
  virtual std::span<const net::Header> trailers() const = 0;  ///< of the request; from Invocation::onBodyEnd() on

  virtual void sendInterim(int status, std::span<const net::Header> headers) = 0;
  /// Fields that belong to this hop and X-Pilotlight-* are dropped.
  virtual void sendHead(int status, std::string_view reason, std::span<const net::Header> headers, net::ResponseBody body) = 0;
  virtual bool write(std::string_view part) = 0;  ///< false: go on at Invocation::onWritable()
  virtual bool headSent() const = 0;

  virtual void closeTunnel() = 0;  ///< after 101: the handler has closed its direction; the client's may still be open
  void finish() { finish({}); }
  /// The answer is complete. The slot is free before the client can see that.
  virtual void finish(std::span<const net::Header> trailers) = 0;
  /// Answers for the handler with a JSON body and X-Pilotlight-Error, or cuts the connection if the head was sent.
  virtual void fail(int status, std::string_view error, std::string_view message) = 0;
  /// The handler never saw the request: the gateway may send it elsewhere.
  virtual void refuse(std::string_view reason) = 0;
  virtual void cut() = 0;       ///< the client sees a broken answer
  virtual void released() = 0;  ///< after cancel(): the handler is done

 protected:
  ~Call() = default;
};

/// The handler's side of one request.
class Invocation {
 public:
  virtual ~Invocation() = default;
  virtual void begin() = 0;  ///< must not end the call before it returns
  virtual void onBody(std::string_view part) = 0;
  virtual void onBodyEnd() = 0;  ///< once more when the client closes its direction of a tunnel
  virtual void onWritable() {}
  /// Nobody waits for the answer any more: stop the handler if possible. The slot stays taken until the call is ended.
  virtual void cancel() = 0;
};

class Invoker {
 public:
  virtual ~Invoker() = default;
  /// Prepares the handler. `onReadiness` is told each change, from the loop; it starts as not ready. Again once stop() is done, of
  /// a handler that is a process of its own.
  virtual void start(std::function<void(bool ready)> onReadiness) = 0;
  /// Only while ready. The invocation stays the invoker's, which gets it back through retire().
  virtual Invocation& invoke(Call& call) = 0;
  /// Its call has ended. It is still on the stack below, so it may be used again for a later request, but not destroyed at once.
  virtual void retire(Invocation& invocation) = 0;
  /// No request is left: ends the handler, politely first, by force at `deadline`. `done` runs once, on the loop.
  virtual void stop(net::Clock::time_point deadline, std::function<void()> done) = 0;
};

}  // namespace pilotlight::shim
