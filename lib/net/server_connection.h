// One client connection of net::Server. Internal to lib/net.
//
// Edge-triggered: `readable_` and `writable_` remember what epoll said, so that a request costs no epoll_ctl.
#pragma once

#include "net/out_buffer.h"
#include "net/server.h"

namespace pilotlight::net {

struct Server::Impl {
  Loop& loop;
  Application& application;
  ServerOptions options;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<RequestHead>> spareHeads;
  std::size_t busy = 0;
  bool draining = false;
  std::function<void()> drained;
  time_t dateSecond = 0;
  std::string date;

  void accepted(Fd fd, const sockaddr* peer);
  void closed(Connection& connection);
  std::string_view dateNow();
};

class Server::Connection final : public Exchange, public Pollable, public Flusher {
 public:
  Connection(Server::Impl& server, Fd fd, Address peer, std::size_t index);
  ~Connection();

  std::size_t index;  // in server.connections
  void begin();
  void drain();
  void cut() { close(false); }

  // Exchange
  const RequestHead& head() const override { return *head_; }
  const Address& peer() const override { return peer_; }
  Loop& loop() override { return loop_; }
  Clock::time_point started() const override { return started_; }
  void pauseBody() override { bodyPaused_ = true; }
  void resumeBody() override;
  bool bodyComplete() const override { return bodyDone_; }
  void sendContinue() override;
  void sendHead(int status, std::string_view reason, std::span<const Header> headers, ResponseBody body) override;
  bool write(std::string_view data) override;
  void finish() override;
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
  void startExchange();
  void feedBody();
  void endExchange(bool complete);
  void afterAnswer();
  void keepInput();
  void refuse(int status);
  void linger();
  void close(bool complete);
  void setDeadline(Clock::time_point due);
  void onDeadline();
  bool inputEmpty() const { return inBegin_ == inEnd_ && bodyBegin_ == bodyEnd_; }

  Server::Impl& server_;
  Loop& loop_;  // outlives server_, which may go before a closed connection does
  Fd fd_;
  const Address peer_;
  State state_ = State::waiting;
  bool readable_ = true, writable_ = true;  // as far as known
  bool peerClosed_ = false;
  bool pumping_ = false;

  // Input: in_ holds the head (kept until the exchange ends) and what came with it; body_ what came later.
  char* in_ = nullptr;
  std::size_t inBegin_ = 0, inEnd_ = 0;
  char* body_ = nullptr;
  std::size_t bodyBegin_ = 0, bodyEnd_ = 0;

  std::unique_ptr<RequestHead> head_;
  ExchangeHandler* handler_ = nullptr;
  Clock::time_point started_{};
  ChunkedDecoder decoder_;
  std::uint64_t bodyLeft_ = 0;
  bool bodyPaused_ = false, bodyDone_ = true;
  bool continueSent_ = false;
  std::uint64_t requestBytes_ = 0;

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
