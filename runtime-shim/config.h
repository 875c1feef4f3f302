// The shim's settings, from its environment and command line.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/client.h"
#include "net/socket.h"
#include "runtime-shim/settings.h"

namespace pilotlight::shim {

enum class RuntimeKind : std::uint8_t { native, http, exec };
std::string_view toString(RuntimeKind kind);

struct Config {
  std::string function, namespace_, version, podName, podUid, podIps;
  std::string callHomeKey;  ///< empty: calls home are not signed
  RuntimeKind runtime = RuntimeKind::http;
  std::size_t concurrency = 80;  ///< hard limit of this replica
  std::chrono::milliseconds timeout{std::chrono::seconds(30)};
  std::chrono::milliseconds grace{std::chrono::seconds(45)};  ///< from SIGTERM to giving up
  net::Address listen{"0.0.0.0", 8012};
  std::vector<net::Address> gateways;                    ///< to call home to; may be empty
  net::Protocol protocol = net::Protocol::http1;         ///< http; what the handler speaks
  std::string readyPath;                                 ///< http; empty: a connection is enough
  std::string contentType = "application/octet-stream";  ///< exec; RESPONSE_CONTENT_TYPE
  std::string nativeHost;                                ///< native; empty: beside the shim
  std::uint16_t handlerPort = 0;                         ///< http; from PORT; 0: chosen by the shim
  pid_t parentPid = 0;                                   ///< local mode; 0: none
  int readyFd = -1;                                      ///< local mode; -1: none
  std::uint64_t descriptors = 0;                         ///< soft limit that handlers get; 0: the shim's own at its start
  Settings settings{};
  // Set by the supervisor for the native host.
  int listenFd = -1;
  int statusFd = -1;
  std::uint64_t restarts = 0;
  std::int64_t begunNs = 0;          ///< when the shim began, by the steady clock; 0: now
  std::vector<std::string> handler;  ///< command and arguments; native: library and symbol

  bool local() const { return parentPid != 0; }
};

/// nullptr when absent, like getenv.
using Getenv = std::function<const char*(const char*)>;

/// `arguments`: without the program's name: `[--runtime r] [--listen ip:port] [--] handler…`. The error names the variable or flag.
std::expected<Config, std::string> readConfig(std::span<char* const> arguments, const Getenv& env);

/// Takes the key out of this process' environment, also where /proc shows it to the handler. Once readConfig() has it.
void hideCallHomeKey();

/// What the handler's process sees of `environment`: all but the private variables.
std::vector<std::string> handlerEnvironment(char* const* environment);

/// Whether a variable is between the shim and its starter.
bool isPrivate(std::string_view name);

}  // namespace pilotlight::shim
