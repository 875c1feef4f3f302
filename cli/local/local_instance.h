// Everything that `pilotlight local` runs, in the order in which it starts and stops.
// Thread-safety: one thread.
#pragma once

#include <chrono>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/local/config_file.h"
#include "cli/local/manifest_source.h"
#include "kube/client.h"
#include "net/socket.h"
#include "tls/certificate_files.h"

namespace pilotlight::local {

struct LocalInstanceOptions {
  std::vector<std::filesystem::path> files;
  net::Address listen{"127.0.0.1", 8080}, tlsListen{"127.0.0.1", 8443};
  std::optional<tls::CertificateFiles> certificate;  ///< for tlsListen
  std::filesystem::path stateDir;                    ///< exists, and is locked by the caller
  std::string shimPath, nativeHostPath;
  gateway::AccessLog accessLog = gateway::AccessLog::errors;
  std::string logLevel = "info";
  ConfigFile config;  ///< settings; of its options, those that gateway/settings.h and operator/settings.h name
  std::chrono::milliseconds stopGrace{std::chrono::seconds(10)};
  std::function<void(std::string_view line)> log;     ///< JSON lines of all parts
  gateway::LogWriter* console = nullptr;              ///< the access log goes there; outlives the instance
  std::function<void(const ManifestReport&)> report;  ///< what became of the files
};

class LocalInstance {
 public:
  explicit LocalInstance(LocalInstanceOptions options);
  ~LocalInstance();  ///< stops
  /// Cluster, gateway, runner, operator, API server, then the files. The error says what to do.
  std::expected<void, std::string> start();
  /// No new requests, those in flight end, every process ends.
  void stop();
  /// Waits until the gateway serves every Function that was applied. False: not all, within `timeout`.
  bool waitForRoutes(std::chrono::milliseconds timeout);
  net::Address address() const;          ///< of the gateway
  net::Address tlsAddress() const;       ///< the same for HTTPS; port 0: it is not served
  net::Address internalAddress() const;  ///< of its internal listener: metrics, functions with visibility: cluster
  kube::Client& client();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pilotlight::local
