// One upstream connection of net::ClientPool. Internal to lib/net. Edge-triggered like the server's.
#pragma once

#include <unordered_map>
#include <utility>

#include "net/client.h"
#include "net/out_buffer.h"

namespace pilotlight::net {

constexpr int kMaxInterims = 64;  // of one answer: a peer that goes on is broken

class Http2Stream;

class ClientPool::Peer {
 public:
  Address address;
  Protocol protocol = Protocol::http1;
  std::optional<SocketAddress> socketAddress;
  std::vector<Connection*> idle;        // most recently used last
  std::vector<Http2Connection*> http2;  // open to new streams
  std::uint32_t mostStreams = 100;      // of a connection of HTTP/2, as the peer last said; the default is RFC 9113's advice to it
};

/// Hashes an address and its protocol; found without making a copy of either.
struct PeerHash {
  using is_transparent = void;
  std::size_t operator()(const std::pair<const Address&, Protocol>& key) const noexcept {
    return std::hash<std::string_view>{}(key.first.ip) * 31 + key.first.port * 2u + static_cast<std::size_t>(key.second);
  }
  std::size_t operator()(const std::pair<Address, Protocol>& key) const noexcept {
    return (*this)(std::pair<const Address&, Protocol>(key.first, key.second));
  }
};
struct PeerEqual {
  using is_transparent = void;
  bool operator()(const auto& a, const auto& b) const noexcept { return a.first == b.first && a.second == b.second; }
};

struct ClientPool::Impl {
  Loop& loop;
  ClientOptions options;
  std::unordered_map<std::pair<Address, Protocol>, std::unique_ptr<Peer>, PeerHash, PeerEqual> peers;
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<Http2Connection>> http2;
  std::vector<std::unique_ptr<ResponseHead>> spareHeads;
  std::size_t usualHighWater = options.highWater;            // when memory is not short
  std::vector<std::unique_ptr<Http2Stream>> spareStreams{};  // of HTTP/2

  void closed(Connection& connection);
  ClientCall* callHttp2(Peer& to, const ClientRequest& request, ClientHandler& handler, bool fresh);  // http2_client.cc
  void forgetHttp2(Peer& peer);
};

/// What an error of socket() or connect() says: is it the peer, or are we short of something?
ClientFailure connectFailure(int error);

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
  using ClientCall::finish;
  void finish(std::span<const Header> trailers) override;
  void pauseBody() override { paused_ = true; }
  void resumeBody() override;
  void cancel() override;
  std::uint64_t bytesWritten() const override { return wireBytes_; }

  void onReady(std::uint32_t events) override;
  void flush() override;

 private:
  enum class State : std::uint8_t { connecting, idle, busy, closed };
  enum class Reading : std::uint8_t { head, body, nothing };  // nothing: the peer has closed its direction of a tunnel

  void pump();
  bool readInput();
  void onEof();
  void readHead();
  void readBody();
  void endChunked();
  void complete(std::span<const Header> trailers = {});
  bool tunnel() const { return responseBody_ == BodyKind::tunnel; }
  bool plausible(const ResponseHead& head);
  void takeHead(const ResponseHead& head);
  void fail(ClientFailure failure);
  void leavePool();
  void setDeadline(Clock::time_point due);
  void onDeadline();
  void writeHead(const ClientRequest& request);

  Impl& pool_;
  Loop& loop_;  // outlives pool_, which may go before a closed connection does
  Peer* peer_;
  Wire wire_;
  State state_ = State::connecting;
  Reading reading_ = Reading::head;
  bool readable_ = false, writable_ = false, peerClosed_ = false, pumping_ = false;
  std::optional<ClientFailure> connectFailure_;  // told from flush(), after call() has returned
  bool reused_ = false;                          // this call runs on a connection that has answered before
  Clock::time_point started_{};                  // of a call on a reused connection: the loop's turn
  bool paused_ = false, wantWritable_ = false, requestDone_ = true, toHead_ = false, keepAlive_ = true, gotBytes_ = false;
  int interims_ = 0;                  // of this answer
  std::string upgrade_;               // the protocol that this request would go on with
  ClientHandler* handler_ = nullptr;  // set while a call is open
  BodyKind requestBody_ = BodyKind::none, responseBody_ = BodyKind::none;
  std::uint64_t left_ = 0;
  ChunkedDecoder decoder_;
  char* in_ = nullptr;
  std::size_t inBegin_ = 0, inEnd_ = 0;
  std::size_t headSeen_ = 0;  // of an incomplete head, read before
  OutBuffer out_;
  std::uint64_t wireBytes_ = 0;  // of this call
  TurnBudget turn_;
  Timer resume_;
  Timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace pilotlight::net
