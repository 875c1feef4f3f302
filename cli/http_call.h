// One HTTP/1.1 request on a connection of its own, whose Host need not be the name it is connected to: that is how a request
// reaches a function through a gateway's address or through the API server's proxy. (cpprestsdk, which carries all else,
// takes the Host for the name in the server's certificate.)
//
// Blocks until the answer has ended. Thread-safety: calls share nothing. SIGPIPE must be ignored.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "kube/tls.h"
#include "kube/transport.h"

namespace pilotlight::cli {

struct HttpCall {
  std::string url;  ///< where to connect: "https://127.0.0.1:6443"; a path in it is not used
  kube::TlsOptions tls{};
  kube::Credentials credentials{};
  std::string host{};           ///< the Host header
  kube::HttpRequest request{};  ///< its idleTimeout counts; credentials come on top of its headers
};

struct AnswerHandler {
  std::function<void(const kube::HttpResponse& head)> onHead;
  std::function<bool(std::string_view part)> onBody;  ///< false: enough
};

/// unavailable: nothing was sent. timeout: silence, or an answer that broke off.
kube::Result<void> call(const HttpCall& call, const AnswerHandler& handler);

}  // namespace pilotlight::cli
