// A loop on its own thread, a raw blocking client socket, and a programmable application: real sockets on loopback.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <string>
#include <thread>

#include "net/server.h"
#include "net/socket.h"

namespace pilotlight::net::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop.run(); }) {}
  ~LoopThread() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    loop.stop();
    thread_.join();
  }
  /// Runs `work` on the loop and waits for it.
  template <class Work>
  auto sync(Work work) {
    std::promise<decltype(work())> promise;
    auto future = promise.get_future();
    loop.post([&] {
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return future.get();
  }
  Loop loop;

 private:
  std::thread thread_;
};

/// A blocking client that sends raw bytes and reads with a deadline.
class RawClient {
 public:
  explicit RawClient(const Address& to) {
    auto address = toSocketAddress(to);
    fd_ = Fd(socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address->storage), address->length), 0);
  }
  void send(std::string_view data) {
    while (!data.empty()) {
      const ssize_t n = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      data.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Reads until `ends` is at the end of what came, EOF, or the deadline.
  std::string readUntil(std::string_view ends, milliseconds within = seconds(10)) {
    std::string got;
    const auto deadline = Clock::now() + within;
    while (!got.ends_with(ends) || ends.empty()) {
      if (!readSome(got, deadline)) break;
    }
    return got;
  }
  std::string readAll(milliseconds within = seconds(10)) { return readUntil("", within); }
  /// True when the peer has closed.
  bool atEof(milliseconds within = seconds(10)) {
    std::string got;
    return !readSome(got, Clock::now() + within) && eof_;
  }
  void shutdownWrite() { shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

 private:
  bool readSome(std::string& into, Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    pollfd waiter{fd_.get(), POLLIN, 0};
    if (left.count() <= 0 || poll(&waiter, 1, static_cast<int>(left.count())) <= 0) return false;
    char buffer[65536];
    const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) {
      eof_ = true;
      return false;
    }
    into.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  Fd fd_;
  bool eof_ = false;
};

/// An application from functions; each request gets a handler that collects the body and then calls `answer`.
class TestApplication final : public Application {
 public:
  std::function<void(Exchange&, const std::string& body)> answer = [](Exchange& exchange, const std::string& body) {
    exchange.respond(200, "text/plain", std::string(exchange.head().method) + " " + std::string(exchange.head().target) + " " + body);
  };
  std::function<bool(Exchange&)> onHead;                 ///< true: answered there
  std::function<ExchangeHandler*(Exchange&)> takesOver;  ///< not null: it handles the request
  int requests = 0, completed = 0, broken = 0;

  ExchangeHandler* onRequest(Exchange& exchange) override {
    ++requests;
    if (onHead && onHead(exchange)) return nullptr;
    if (takesOver)
      if (ExchangeHandler* handler = takesOver(exchange)) return handler;
    exchange.sendContinue();
    return new Handler(*this);
  }

 private:
  struct Handler final : ExchangeHandler {
    explicit Handler(TestApplication& a) : app(a) {}
    void onBody(Exchange&, std::string_view part) override { body.append(part); }
    void onBodyEnd(Exchange& exchange) override { app.answer(exchange, body); }
    void onEnd(Exchange&, bool complete) override {
      ++(complete ? app.completed : app.broken);
      delete this;
    }
    TestApplication& app;
    std::string body;
  };
};

/// A server with a TestApplication on a loop thread.
class ServerFixture {
 public:
  explicit ServerFixture(ServerOptions options = {}) {
    thread.sync([&] {
      server = std::make_unique<Server>(thread.loop, app, options);
      auto fd = listenTcp({"127.0.0.1", 0});
      address = localAddress(fd->get());
      server->listen(std::move(*fd));
    });
  }
  ~ServerFixture() {
    thread.sync([&] { server.reset(); });
    thread.stop();
  }
  TestApplication app;  // set up before requests; read by sync()
  std::unique_ptr<Server> server;
  Address address;
  LoopThread thread;
};

/// A port where nobody listens, kept from others while it lives: a connection is refused.
class DeadPort {
 public:
  DeadPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto any = toSocketAddress({"127.0.0.1", 0});
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&any->storage), any->length), 0);
    address = localAddress(fd_.get());
  }
  Address address;

 private:
  Fd fd_;
};

/// Waits until `condition` holds; fails the test after 10 s.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = Clock::now() + seconds(10);
  while (Clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

}  // namespace pilotlight::net::test
