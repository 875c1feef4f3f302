// An HTTP server that does what a test tells it to, with TLS or without: a thread for each connection, joined at the end.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test_pki.h"

struct ssl_ctx_st;
struct ssl_st;

namespace pilotlight::kube {

struct TestRequest {
  std::string line;  ///< "GET /x HTTP/1.1"
  std::string head;  ///< with the line
  std::string body;
  std::string clientName;  ///< the common name of the client's certificate
  std::string header(const std::string& name) const;
};

class TestConnection {
 public:
  bool write(const std::string& bytes);  ///< false: the client is gone
  void answer(int status, const std::string& body, const std::string& headers = "");
  void close();        ///< both ways; the handler's last act
  void untilClosed();  ///< by the client, or the server's end

 private:
  friend class TestServer;
  std::optional<TestRequest> read();
  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  std::string buffer_;
  std::string clientName_;
};

struct TestServerTls {
  TestIdentity identity;
  std::string clientAuthority{};  ///< asked for a certificate of it; empty: not asked
};

class TestServer {
 public:
  using Handler = std::function<void(TestConnection&, const TestRequest&)>;
  explicit TestServer(Handler handler, std::optional<TestServerTls> tls = {});
  ~TestServer();

  std::string url(const std::string& host = "127.0.0.1") const;
  std::vector<std::string> lines() const;  ///< of the requests so far
  int connections() const { return connections_; }

 private:
  void accept();
  void serve(int fd);
  const Handler handler_;
  ssl_ctx_st* context_ = nullptr;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_, as the next two
  std::list<std::thread> threads_;
  std::list<int> open_;
  bool stopping_ = false;
  std::thread acceptor_;
};

}  // namespace pilotlight::kube
