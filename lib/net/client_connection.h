// One upstream connection of net::ClientPool. Internal to lib/net. Edge-triggered like the server's.
#pragma once

#include <map>

#include "net/client.h"
#include "net/out_buffer.h"

namespace pilotlight::net {

class ClientPool::Peer {
 public:
  Address address;
  std::optional<SocketAddress> socketAddress;
  std::vector<Connection*> idle;  // most recently used last
};

struct ClientPool::Impl {
  Loop& loop;
  ClientOptions options;
  std::map<Address, std::unique_ptr<Peer>> peers;
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<ResponseHead>> spareHeads;

  void closed(Connection& connection);
};

class ClientPool::Connection final : public ClientCall, public Pollable, public Flusher {
 public:
  Connection(Impl& pool, Peer& peer, std::size_t index);
  ~Connection();

  std::size_t index;  // in pool.connections
  void connect();
  void start(const ClientRequest& request, ClientHandler& handler);
  /// The peer leaves the pool: close now if idle, else when the call ends. No effect for other peers' connections.
  void orphanFrom(const Peer& peer);
  bool idle() const { return state_ == State::idle; }
  void close();

  bool write(std::string_view data) override;
  void finish() override;
  void pauseBody() override { paused_ = true; }
  void resumeBody() override;
  void cancel() override;
  std::uint64_t bytesWritten() const override { return wireBytes_; }

  void onReady(std::uint32_t events) override;
  void flush() override;

 private:
  enum class State : std::uint8_t { connecting, idle, busy, closed };
  enum class Reading : std::uint8_t { head, body };

  void pump();
  bool readInput();
  void onEof();
  void readHead();
  void readBody();
  void complete();
  void fail(ClientFailure failure);
  void leavePool();
  void setDeadline(Clock::time_point due);
  void onDeadline();
  void writeHead(const ClientRequest& request);

  Impl& pool_;
  Loop& loop_;  // outlives pool_, which may go before a closed connection does
  Peer* peer_;
  Fd fd_;
  State state_ = State::connecting;
  Reading reading_ = Reading::head;
  bool readable_ = false, writable_ = false, peerClosed_ = false, pumping_ = false;
  bool connectFailed_ = false;
  bool reused_ = false;  // this call runs on a connection that has answered before
  bool paused_ = false, wantWritable_ = false, requestDone_ = true, toHead_ = false, keepAlive_ = true, gotBytes_ = false;
  ClientHandler* handler_ = nullptr;  // set while a call is open
  BodyKind requestBody_ = BodyKind::none, responseBody_ = BodyKind::none;
  std::uint64_t left_ = 0;
  ChunkedDecoder decoder_;
  char* in_ = nullptr;
  std::size_t inBegin_ = 0, inEnd_ = 0;
  OutBuffer out_;
  std::uint64_t wireBytes_ = 0;  // of this call
  TurnBudget turn_;
  Timer resume_;
  Timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace pilotlight::net
