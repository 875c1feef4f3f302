// A small blocking HTTP/1.1 client on plain sockets: shares no code with what it tests.
// Thread-safety: one connection, one thread.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace pilotlight::test {

struct HttpRequest {
  std::string method = "GET";
  std::string target = "/";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string host = "localhost";
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  ///< from connecting to the last byte
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< names in lower case
  std::string body{};
  std::string header(const std::string& name) const;  ///< name in lower case; empty when absent
};

/// The error says which step failed.
using HttpResult = std::expected<HttpResponse, std::string>;

/// Kept alive between requests; connects again after the server has closed it.
class HttpConnection {
 public:
  explicit HttpConnection(int port, std::string ip = "127.0.0.1") : port_(port), ip_(std::move(ip)) {}
  ~HttpConnection() { close(); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  HttpResult send(const HttpRequest& request);
  void close();

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  std::expected<void, std::string> connect(Deadline deadline);
  std::expected<void, std::string> writeAll(std::string_view data, Deadline deadline);
  std::expected<bool, std::string> readSome(Deadline deadline);  ///< false: the other side has closed
  HttpResult readResponse(bool toHead, Deadline deadline);
  std::expected<void, std::string> readBody(HttpResponse& response, Deadline deadline);
  std::expected<void, std::string> readChunks(std::string& body, Deadline deadline);
  std::expected<std::string, std::string> take(std::size_t size, Deadline deadline);
  std::expected<std::string, std::string> takeLine(Deadline deadline);

  int port_;
  std::string ip_;
  int fd_ = -1;
  std::string in_;  // received, not consumed
};

/// One request on a connection of its own.
HttpResult fetch(int port, const HttpRequest& request);
/// All at the same time, each on a connection of its own; results in the order of the requests.
std::vector<HttpResult> fetchAll(int port, const std::vector<HttpRequest>& requests);
/// A TCP port of 127.0.0.1 that is free right now.
int freePort();

}  // namespace pilotlight::test
