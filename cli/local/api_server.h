// The API of `pilotlight local`: a part of the Kubernetes REST API over a kube::Client, so that the CLI, kubectl and client
// libraries can talk to it.
//
//   /api/v1/…, /apis/{group}/{version}/…   get, list, watch, create, apply, merge patch, put, delete, status, scale
//   …/pods/{name}/log, …/functions/{name}/log   ?follow= tailLines= timestamps= prefix=
//   /metrics /healthz /version, and discovery
//
// Security: every request needs the bearer token, and a Host that is an IP literal or localhost (a web page whose name
// was rebound to 127.0.0.1 has neither). Bodies and the number of open streams are bounded.
// Thread-safety: start(), stop() from one thread; address() after start().
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "cli/local/log_store.h"
#include "kube/client.h"
#include "net/socket.h"

namespace pilotlight::local {

struct ApiServerOptions {
  net::Address listen{"127.0.0.1", 0};
  std::string token;                     ///< required
  std::string version;                   ///< of the product
  std::function<std::string()> metrics;  ///< Prometheus text
  std::size_t maxBodyBytes = 1U << 20;
  std::size_t maxStreams = 64;
  std::size_t maxConnections = 512;
};

class ApiServer {
 public:
  /// `client` and `logs` must outlive the server.
  ApiServer(kube::Client& client, LogStore& logs, ApiServerOptions options);
  ~ApiServer();  ///< stops
  std::expected<void, std::string> start();
  void stop();  ///< cuts what is open; idempotent
  net::Address address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 256 random bits, hexadecimal.
std::string randomToken();
/// "Bearer <token>", or Basic with the user "pilotlight" and the token as password (kubectl sends no bearer token
/// over plain HTTP), in a time that does not depend on how much of it is right.
bool authorized(std::string_view authorization, std::string_view token);
/// 127.0.0.1[:port], [::1][:port], localhost[:port].
bool hostAllowed(std::string_view host);

}  // namespace pilotlight::local
