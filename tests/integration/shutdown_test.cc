// SIGTERM while clients send at full speed: what was accepted is answered, and connections end with their last answer.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

/// One connection that tells apart what an HTTP client usually hides. Blocking; every wait is at most 20 s.
class Wire {
 public:
  ~Wire() {
    if (fd_ >= 0) close(fd_);
  }
  /// False: nobody listens any more.
  bool connect(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const timeval most{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  /// Empty: the request was answered, with a 200 and its whole body; else what went wrong.
  std::string ask(const std::string& target) {
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return "not sent";
    std::string answer;
    for (;;) {
      const auto head = answer.find("\r\n\r\n");
      if (head != std::string::npos) {
        const auto length = answer.find("\r\nContent-Length: ");
        if (length > head) return "no length: " + answer;
        if (answer.size() == head + 4 + std::stoul(answer.substr(length + 18))) break;
      }
      char buffer[4096];
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return (got == 0 ? "closed" : "reset or too late") + (" after " + std::to_string(answer.size()) + " bytes: ") + answer;
      answer.append(buffer, static_cast<std::size_t>(got));
    }
    last_ = answer.find("\r\nConnection: close\r\n") != std::string::npos;
    return answer.starts_with("HTTP/1.1 200 ") ? "" : answer;
  }
  bool last() const { return last_; }  ///< the answer said that the connection closes
  bool closed() {
    char byte;
    return recv(fd_, &byte, 1, 0) == 0;
  }

 private:
  int fd_ = -1;
  bool last_ = false;
};

class Shutdown : public LocalTest {
 protected:
  /// Asks over one connection until it is told that it closes, and then over the next one until nobody listens.
  void keepAliveClient(const std::string& target) {
    for (;;) {
      Wire wire;
      if (!wire.connect(local.port())) return;
      while (!wire.last()) {
        ++sent_;
        if (const std::string wrong = wire.ask(target); !wrong.empty()) return fail("kept alive: " + wrong);
        ++answered_;
      }
      if (!wire.closed()) return fail("open after the last answer");
    }
  }
  void newConnectionsClient(const std::string& target) {
    for (;;) {
      Wire wire;
      if (!wire.connect(local.port())) return;
      ++sent_;
      if (const std::string wrong = wire.ask(target); !wrong.empty()) return fail("new: " + wrong);
      ++answered_;
    }
  }
  void fail(const std::string& what) {
    const std::lock_guard lock(mutex_);
    failures_.push_back(what);
  }

  std::atomic<int> sent_ = 0, answered_ = 0;
  std::mutex mutex_;
  std::vector<std::string> failures_;  // guarded by mutex_
};

TEST_F(Shutdown, UnderLoadCutsNoRequestAndEndsEachConnectionWithItsLastAnswer) {
  local.addRecorder("loaded", "  concurrency: {perReplica: 100}\n  replicas: 1\n");
  ASSERT_NO_FATAL_FAILURE(startWith({"loaded"}));
  ASSERT_EQ(status(local.get("/loaded")), 200);
  std::vector<std::jthread> clients;
  for (int i = 0; i < 16; ++i) {
    const std::string target = "/loaded?ms=" + std::to_string(i % 4 == 0 ? 20 : 0);
    clients.emplace_back([this, target] { keepAliveClient(target); });
    clients.emplace_back([this, target] { newConnectionsClient(target); });
  }
  ASSERT_TRUE(waitUntil([&] { return answered_ > 2000; }, 30s));
  EXPECT_EQ(local.stop(SIGTERM), 0);
  clients.clear();
  std::cout << sent_ << " sent, " << answered_ << " answered\n";
  EXPECT_EQ(sent_, answered_);
  EXPECT_THAT(failures_, IsEmpty());
}

}  // namespace
}  // namespace pilotlight::test
