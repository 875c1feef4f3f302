// One client connection of net::Server. Internal to lib/net.
//
// Edge-triggered: `readable_` and `writable_` remember what epoll said, so that a request costs no epoll_ctl.
#pragma once

#include <list>

#include "net/out_buffer.h"
#include "net/server.h"

namespace pilotlight::net {

class Http2Stream;

/// What a connection needs while it reads a request; idle ones have none.
struct Incoming {
  RequestHead head;
  ChunkedDecoder decoder;
  std::unique_ptr<Headers> trailers;  // rare
};

struct Server::Impl {
  Loop& loop;
  Application& application;
  ServerOptions options;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<Peer>> connections;
  std::vector<std::unique_ptr<Incoming>> spare;
  std::size_t busy = 0;
  bool draining = false;
  std::function<void()> drained;
  time_t dateSecond = 0;
  std::string date;
  std::size_t usualHighWater = options.highWater;            // when memory is not short
  std::unique_ptr<Timer> lastCall{};                         // for connections under way when draining began
  std::vector<std::unique_ptr<Http2Stream>> spareStreams{};  // of HTTP/2
  std::list<Handshake*> handshakes{};                        // of TLS, the oldest first
  TurnBudget handshakeTurn{};

  void accepted(Fd fd, const sockaddr* peer, TlsAcceptor* tls);
  void closed(Peer& connection);
  void replace(Peer& connection, std::unique_ptr<Peer> next);  // in its place; it is destroyed later
  void endDrain();                                             // if nothing is left
  /// The same connection goes on with another protocol: `received` has been read already.
  void becomeHttp1(Peer& connection, const Address& peer, Wire wire);
  void becomeHttp2(Peer& connection, const Address& peer, Wire wire, std::string_view received);
  std::string_view dateNow();
};

/// A connection of any protocol, as the server sees it.
class Server::Peer {
 public:
  explicit Peer(std::size_t place) : index(place) {}
  virtual ~Peer() = default;
  std::size_t index;         // in server.connections
  virtual void drain() = 0;  ///< ends when its open exchanges have
  virtual void cut() = 0;    ///< ends now
};

class Server::Connection final : public Server::Peer, public Exchange, public Pollable, public Flusher {
 public:
  Connection(Server::Impl& server, Wire wire, Address peer, std::size_t index);
  ~Connection() override;

  [[nodiscard]] bool begin();  ///< false: it can't be served, and may go at once
  void drain() override;
  void cut() override { close(false); }

  // Exchange
  const RequestHead& head() const override { return incoming_->head; }
  const Address& peer() const override { return peer_; }
  Loop& loop() override { return loop_; }
  Clock::time_point started() const override { return started_; }
  bool secure() const override { return wire_.secure(); }
  void pauseBody() override { bodyPaused_ = true; }
  void resumeBody() override;
  bool bodyComplete() const override { return bodyDone_; }
  std::span<const Header> trailers() const override;
  void sendContinue() override;
  void sendInterim(int status, std::span<const Header> headers) override;
  void sendHead(int status, std::string_view reason, std::span<const Header> headers, ResponseBody body) override;
  bool write(std::string_view data) override;
  using Exchange::finish;
  void finish(std::span<const Header> trailers) override;
  void abort() override;
  void closeAfter() override { closeAfter_ = true; }
  bool headSent() const override { return headSent_; }
  std::uint64_t bytesSent() const override { return responseBytes_; }
  std::uint64_t bytesReceived() const override { return requestBytes_; }

  // Pollable, Flusher
  void onReady(std::uint32_t events) override;
  void flush() override;

 private:
  enum class State : std::uint8_t {
    waiting,     // for a (rest of a) request head
    active,      // an exchange is open
    discarding,  // answered; the rest of the request's body is read and dropped
    lingering,   // answered, our side closed; reads until the client closes
    closed,
  };

  void pump();       // reads and acts on what is there
  bool readInput();  // false: nothing more now
  void parse();
  bool isHttp2();  // true: it is, or may still become, HTTP/2
  void startExchange();
  void feedBody();
  void onClientEnd();  // EOF
  void badBody();
  bool openTunnel();
  void flushFinished();
  void endExchange(bool complete);
  void afterAnswer();
  bool mayLeaveUnread() const;
  bool discardedTooMuch() const;
  void keepInput();
  void refuse(int status);
  void linger();
  void close(bool complete);
  void setDeadline(Clock::time_point due);
  void onDeadline();
  bool tunnel() const { return response_.kind == BodyKind::tunnel; }
  bool inputEmpty() const { return inBegin_ == inEnd_ && bodyBegin_ == bodyEnd_; }

  Server::Impl& server_;
  Loop& loop_;  // outlives server_, which may go before a closed connection does
  Wire wire_;
  const Address peer_;
  State state_ = State::waiting;
  bool readable_, writable_ = true;  // as far as known
  bool peerClosed_ = false;
  bool pumping_ = false;
  bool first_;  // no request was read yet: it may turn out to be HTTP/2, which TLS has told before

  // Input: in_ holds the head (kept until the exchange ends) and what came with it; body_ what came later.
  char* in_ = nullptr;
  std::size_t inBegin_ = 0, inEnd_ = 0;
  std::size_t headSeen_ = 0;  // of an incomplete head, read before
  char* body_ = nullptr;
  std::size_t bodyBegin_ = 0, bodyEnd_ = 0;

  std::unique_ptr<Incoming> incoming_;
  ExchangeHandler* handler_ = nullptr;
  Clock::time_point started_{};
  std::uint64_t bodyLeft_ = 0;
  bool bodyPaused_ = false, bodyDone_ = true;
  bool continueSent_ = false;
  std::uint64_t requestBytes_ = 0, answeredAt_ = 0;  // of the body; all, and when the answer was complete
  std::uint64_t discardedAt_ = 0;                    // of the body, when the deadline was last looked at
  LastBytes lastBytes_;                              // while lingering

  OutBuffer out_;
  ResponseBody response_;
  std::uint64_t responseBytes_ = 0, wireBytes_ = 0;
  bool headSent_ = false, finished_ = false, closeAfter_ = false, wantWritable_ = false;
  bool headRequest_ = false, keepAlive_ = true;

  TurnBudget turn_;
  Timer resume_;
  Timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace pilotlight::net
