// HTTP requests to an API server (or to a function), as narrow as the product needs it, so that the library underneath
// is one file's matter (transport_cpprest.cc).
//
// Thread-safety: a Transport may be used from any thread. A BodyStream's next() belongs to one thread, cancel() to any.
// Errors: kube::Error with unavailable (no connection), timeout or cancelled; an HTTP status of 400 or more is an answer,
// not an error.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kube/types.h"

namespace pilotlight::kube {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< path and query, percent-encoded: "/api/v1/pods?limit=5"
  HttpHeaders headers{};
  std::string body{};
  std::string contentType{};                                        ///< of the body; empty: no body is sent
  std::chrono::milliseconds idleTimeout{std::chrono::seconds(30)};  ///< without a byte from the server: Error.timeout
};

struct HttpResponse {
  int status = 0;
  std::string reason;
  HttpHeaders headers;
  std::string body;  ///< empty when streamed
};

class BodyStream {
 public:
  virtual ~BodyStream() = default;
  /// Waits for the next bytes. nullopt: none within `wait` (the stream goes on); an empty string: the orderly end.
  virtual Result<std::optional<std::string>> next(std::chrono::milliseconds wait) = 0;
  /// Makes a waiting and every later next() return Error.cancelled.
  virtual void cancel() = 0;
};

struct StreamedResponse {
  HttpResponse head;
  std::unique_ptr<BodyStream> body;
};

class Transport {
 public:
  virtual ~Transport() = default;
  /// One request and its whole answer. Bodies above `maxResponseBytes` are Error.unavailable.
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
  /// Returns when the head is there; the body follows as it comes.
  virtual Result<StreamedResponse> stream(const HttpRequest& request) = 0;
};

struct TransportOptions {
  std::string baseUrl;      ///< "http://127.0.0.1:6443", without a path
  std::string bearerToken;  ///< empty: none. Never logged.
  std::size_t maxResponseBytes = 256U << 20;
};

std::expected<std::unique_ptr<Transport>, Error> makeTransport(const TransportOptions& options);

}  // namespace pilotlight::kube
