// HTTP requests to an API server (or to a function), as narrow as the product needs it, so that the library underneath
// is one file's matter (transport_cpprest.cc).
//
// Thread-safety: a Transport may be used from any thread, and outlives its streams. A BodyStream's next() belongs to one
// thread, cancel() to any.
// Errors: kube::Error; an HTTP status of 400 or more is an answer, not an error.
//   unavailable  the server did not get the request: no connection, no TLS. Of a GET also: no whole answer came
//   timeout      it may have got it, and no whole answer came in time or at all
//   forbidden    the credential source has nothing to show
//   cancelled    shutdown() or cancel()
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kube/credentials.h"
#include "kube/tls.h"
#include "kube/types.h"

namespace pilotlight::kube {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< path and query, percent-encoded: "/api/v1/pods?limit=5"
  HttpHeaders headers{};
  std::string body{};
  std::string contentType{};                                        ///< of the body; empty: no body is sent
  std::chrono::milliseconds idleTimeout{std::chrono::seconds(30)};  ///< without a byte from the server
  std::chrono::milliseconds deadline{std::chrono::minutes(1)};      ///< for the whole answer; of a stream: for its head
};

struct HttpResponse {
  int status = 0;
  std::string reason;
  HttpHeaders headers;
  std::string body;  ///< empty when streamed

  /// The value of a header, any case; empty when absent.
  std::string header(std::string_view name) const;
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
  /// One request and its whole answer, at most `maxResponseBytes` of it. A 401 is asked again once when the credential
  /// source has something new to show. No request but GET and HEAD is ever sent twice behind the caller's back.
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
  /// Returns when the head is there; the body follows as it comes, at most `maxResponseBytes` ahead of the reader.
  virtual Result<StreamedResponse> stream(const HttpRequest& request) = 0;
  /// Ends what send() and stream() wait for, now and later, with `cancelled`. Open streams go on until their owner
  /// cancels them.
  virtual void shutdown() = 0;
};

struct TransportOptions {
  std::string baseUrl{};  ///< "https://127.0.0.1:6443"; http has no TLS
  TlsOptions tls{};
  std::shared_ptr<CredentialSource> credentials{};  ///< null: none
  std::size_t maxResponseBytes = 64U << 20;
};

/// Error.badRequest when the options cannot work: a URL or a certificate that cannot be read.
std::expected<std::unique_ptr<Transport>, Error> makeTransport(const TransportOptions& options);

}  // namespace pilotlight::kube
