// A server that echoes, and a client that sends it anything, on one thread without waiting.
#pragma once

#include <sys/un.h>

#include <string>
#include <vector>

#include "fuzz.h"
#include "net/server.h"

namespace pilotlight::fuzz {

/// Answers with what it was asked, trailers included.
class Echo final : public net::Application {
 public:
  std::vector<std::string> answered;
  int open = 0;

  net::ExchangeHandler* onRequest(net::Exchange& exchange) override {
    exchange.sendContinue();
    return new Handler(*this);
  }

 private:
  struct Handler final : net::ExchangeHandler {
    explicit Handler(Echo& e) : echo(e) { ++echo.open; }
    void onBody(net::Exchange&, std::string_view part) override { body.append(part); }
    void onBodyEnd(net::Exchange& exchange) override {
      const net::RequestHead& head = exchange.head();
      const std::string seen = std::string(head.method) + " " + std::string(head.target) + " " + body;
      echo.answered.push_back(seen);
      if (head.body != net::BodyKind::chunked) return exchange.respond(200, "text/plain", seen);
      exchange.sendHead(200, "OK", {}, {net::BodyKind::chunked, 0});
      exchange.write(seen);
      exchange.finish(exchange.trailers());
    }
    void onEnd(net::Exchange&, bool) override {
      --echo.open;
      delete this;
    }
    Echo& echo;
    std::string body;
  };
};

/// A server on a loop that turns when told to.
class ServerBench {
 public:
  net::Loop loop;
  Echo echo;
  net::Server server;

  explicit ServerBench(net::ServerOptions options) : server(loop, echo, options) {
    address_.sun_family = AF_UNIX;  // abstract: a zero, then the kernel's choice
    net::Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    require(bind(listener.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_.sun_family) == 0);
    length_ = sizeof address_;
    require(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address_), &length_) == 0);
    require(listen(listener.get(), 16) == 0);
    server.listen(std::move(listener));
  }
  net::Fd connect() {
    net::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    require(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address_), length_) == 0);
    return fd;
  }

  void requireEmpty() const { require(server.connections() == 0 && server.busy() == 0 && echo.open == 0); }

 private:
  sockaddr_un address_{};
  socklen_t length_ = 0;
};

/// A client without any manners.
class RawClient {
 public:
  explicit RawClient(ServerBench& bench) : bench_(bench), fd_(bench.connect()) {}
  std::string output;
  bool closed = false;  ///< by the server

  void send(std::string_view part) {
    while (!part.empty() && !closed) {
      const ssize_t sent = ::send(fd_.get(), part.data(), part.size(), MSG_NOSIGNAL);
      if (sent > 0) part.remove_prefix(static_cast<std::size_t>(sent));
      turn();
      if (sent < 0 && errno == EPIPE) return;
    }
  }
  void sendInParts(const Input& input) {
    Cuts cuts(input);
    for (std::string_view rest = input.data; !rest.empty();) {
      const std::string_view part = cuts.next(rest);
      send(part);
      rest.remove_prefix(part.size());
    }
    settle();
  }
  void end() {
    shutdown(fd_.get(), SHUT_WR);
    settle();
  }
  void turn() {
    require(bench_.loop.turn(std::chrono::milliseconds(0)));
    char buffer[16384];
    for (ssize_t got; (got = recv(fd_.get(), buffer, sizeof buffer, 0)) >= 0;) {
      if (got == 0) {
        closed = true;
        return;
      }
      output.append(buffer, static_cast<std::size_t>(got));
    }
  }
  /// Until nothing happens any more.
  void settle() {
    std::size_t before;
    do {
      before = output.size() + bench_.echo.answered.size();
      for (int i = 0; i < 4; ++i) turn();
    } while (output.size() + bench_.echo.answered.size() != before);
  }

 private:
  ServerBench& bench_;
  net::Fd fd_;
};

}  // namespace pilotlight::fuzz
