#include "runtime-shim/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "api/shim_contract.h"
#include "runtime-shim/host_contract.h"

namespace pilotlight::shim {
namespace {

using Result = std::expected<void, std::string>;

std::string_view valueOf(const Getenv& env, const char* name) {
  const char* value = env(name);
  return value ? std::string_view(value) : std::string_view();
}

template <class Number>
Result readNumber(const Getenv& env, const char* name, Number low, Number high, Number& out) {
  std::string_view text = valueOf(env, name);
  if (text.empty()) return {};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < low || out > high) {
    return std::unexpected(std::string(name) + ": \"" + std::string(text) + "\" is not a number from " + std::to_string(low) + " to " +
                           std::to_string(high));
  }
  return {};
}

Result readMillis(const Getenv& env, const char* name, std::chrono::milliseconds& out) {
  std::int64_t number = out.count();
  Result result = readNumber<std::int64_t>(env, name, 0, std::int64_t{1000} * 86400 * 30, number);
  out = std::chrono::milliseconds(number);
  return result;
}

Result readAddress(const char* what, std::string_view text, net::Address& out) {
  if (text.empty()) return {};
  auto address = net::parseAddress(text);
  if (!address) return std::unexpected(std::string(what) + ": " + address.error());
  out = *std::move(address);
  return {};
}

Result readGateways(const Getenv& env, std::vector<net::Address>& out) {
  std::string_view rest = valueOf(env, contract::kEnvGateways);
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one.empty()) continue;
    if (auto read = readAddress(contract::kEnvGateways, one, out.emplace_back()); !read) return read;
  }
  return {};
}

Result readRuntime(const char* what, std::string_view text, RuntimeKind& out) {
  if (text.empty()) return {};
  for (RuntimeKind kind : {RuntimeKind::native, RuntimeKind::http, RuntimeKind::exec}) {
    if (toString(kind) == text) {
      out = kind;
      return {};
    }
  }
  return std::unexpected(std::string(what) + ": \"" + std::string(text) + "\" is none of native, http, exec");
}

Result readProtocol(const Getenv& env, net::Protocol& out) {
  const std::string_view text = valueOf(env, contract::kEnvProtocol);
  if (text == "h2c")
    out = net::Protocol::h2c;
  else if (!text.empty() && text != "http1")
    return std::unexpected(std::string(contract::kEnvProtocol) + ": \"" + std::string(text) + "\" is none of http1, h2c");
  return {};
}

Result readSettings(const Getenv& env, Settings& settings) {
  for (const api::Setting& row : settingsTable().rows) {
    std::int64_t value = row.get(&settings);
    if (auto read = readNumber(env, api::variableOf(row).c_str(), row.low, row.high, value); !read) return read;
    row.set(&settings, value);
  }
  return {};
}

Result readEnvironment(const Getenv& env, Config& config) {
  config.function = valueOf(env, contract::kEnvFunction);
  config.namespace_ = valueOf(env, contract::kEnvNamespace);
  config.version = valueOf(env, contract::kEnvVersion);
  config.podName = valueOf(env, contract::kEnvPodName);
  config.podUid = valueOf(env, contract::kEnvPodUid);
  config.podIps = valueOf(env, contract::kEnvPodIps);
  config.callHomeKey = valueOf(env, contract::kEnvCallHomeKey);
  config.readyPath = valueOf(env, contract::kEnvReadyPath);
  config.nativeHost = valueOf(env, contract::kEnvNativeHost);
  if (auto type = valueOf(env, "RESPONSE_CONTENT_TYPE"); !type.empty()) config.contentType = type;
  for (const Result& read :
       {readRuntime(contract::kEnvRuntime, valueOf(env, contract::kEnvRuntime), config.runtime), readProtocol(env, config.protocol),
        readNumber<std::size_t>(env, contract::kEnvConcurrency, 1, 1'000'000, config.concurrency),
        readMillis(env, contract::kEnvTimeoutMs, config.timeout), readMillis(env, contract::kEnvGraceMs, config.grace),
        readAddress(contract::kEnvListen, valueOf(env, contract::kEnvListen), config.listen), readGateways(env, config.gateways),
        readNumber<std::uint16_t>(env, contract::kEnvHandlerPort, 1, 65535, config.handlerPort),
        readNumber<pid_t>(env, contract::kEnvParentPid, 1, 1 << 30, config.parentPid),
        readNumber<std::uint64_t>(env, contract::kEnvDescriptors, 1, 1ULL << 62, config.descriptors),
        readNumber<int>(env, contract::kEnvReadyFd, 0, 1 << 20, config.readyFd),
        readNumber<int>(env, kEnvListenFd, 0, 1 << 20, config.listenFd), readNumber<int>(env, kEnvStatusFd, 0, 1 << 20, config.statusFd),
        readNumber<std::uint64_t>(env, kEnvRestarts, 0, 1ULL << 62, config.restarts),
        readNumber<std::int64_t>(env, kEnvBegun, 1, std::int64_t{1} << 62, config.begunNs)}) {
    if (!read) return read;
  }
  return readSettings(env, config.settings);
}

Result readArguments(std::span<char* const> arguments, Config& config) {
  std::size_t next = 0;
  for (; next < arguments.size() && arguments[next][0] == '-'; ++next) {
    std::string_view flag = arguments[next];
    if (flag == "--") {
      ++next;
      break;
    }
    if (flag != "--runtime" && flag != "--listen") return std::unexpected("unknown flag " + std::string(flag));
    if (++next == arguments.size()) return std::unexpected(std::string(flag) + " needs a value");
    Result read = flag == "--runtime" ? readRuntime("--runtime", arguments[next], config.runtime)
                                      : readAddress("--listen", arguments[next], config.listen);
    if (!read) return read;
  }
  config.handler.assign(arguments.begin() + static_cast<std::ptrdiff_t>(next), arguments.end());
  if (config.handler.empty() || config.handler.front().empty()) return std::unexpected("no handler given after --");
  return {};
}

}  // namespace

std::string_view toString(RuntimeKind kind) {
  switch (kind) {
    case RuntimeKind::native:
      return "native";
    case RuntimeKind::http:
      return "http";
    case RuntimeKind::exec:
      return "exec";
  }
  return "?";
}

std::expected<Config, std::string> readConfig(std::span<char* const> arguments, const Getenv& env) {
  Config config;
  if (auto read = readEnvironment(env, config); !read) return std::unexpected(read.error());
  if (auto read = readArguments(arguments, config); !read) return std::unexpected(read.error());
  if (config.begunNs == 0) config.begunNs = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  return config;
}

void hideCallHomeKey() {
  char* key = ::getenv(contract::kEnvCallHomeKey);
  if (key == nullptr) return;
  ::explicit_bzero(key, std::strlen(key));
  ::unsetenv(contract::kEnvCallHomeKey);
}

bool isPrivate(std::string_view name) {
  static constexpr std::array<std::string_view, 15> kPrivate = {contract::kEnvGateways,
                                                                contract::kEnvReadyFd,
                                                                contract::kEnvParentPid,
                                                                contract::kEnvDescriptors,
                                                                contract::kEnvListen,
                                                                contract::kEnvNativeHost,
                                                                contract::kEnvHandlerPort,
                                                                contract::kEnvReadyPath,
                                                                contract::kEnvProtocol,
                                                                kEnvListenFd,
                                                                kEnvStatusFd,
                                                                kEnvRestarts,
                                                                kEnvBegun,
                                                                contract::kEnvPodIps,
                                                                contract::kEnvCallHomeKey};
  return std::ranges::find(kPrivate, name) != kPrivate.end() ||
         std::ranges::any_of(settingsTable().rows, [name](const api::Setting& row) { return api::variableOf(row) == name; });
}

std::vector<std::string> handlerEnvironment(char* const* environment) {
  std::vector<std::string> kept;
  for (; *environment; ++environment) {
    std::string_view entry = *environment;
    std::string_view name = entry.substr(0, entry.find('='));
    if (!isPrivate(name)) kept.emplace_back(entry);
  }
  return kept;
}

}  // namespace pilotlight::shim
