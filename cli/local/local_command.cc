#include "cli/local/local_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "api/types.h"
#include "cli/local/local_instance.h"
#include "cli/local/local_log.h"
#include "cli/shim_files.h"
#include "cli/state_dir.h"
#include "gateway/access_log.h"
#include "net/descriptor_limit.h"

namespace pilotlight::local {

namespace fs = std::filesystem;

namespace {

constexpr const char* kAnnotationExample = "pilotlight.dev/example";

/// Blocks the signals in this thread and those it starts, until destroyed.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~Signals() {
    stopping_ = false;
    if (second_.joinable()) second_.join();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  void wait() const {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) {
    }
  }
  /// From now on a signal ends the process at once; the shims notice that their parent is gone and end too.
  void exitOnNext() {
    stopping_ = true;
    second_ = std::thread([this] {
      const timespec tick{0, 50'000'000};
      while (stopping_) {
        if (::sigtimedwait(&set_, nullptr, &tick) > 0) ::_exit(130);
      }
    });
  }

 private:
  sigset_t set_{}, before_{};
  std::atomic<bool> stopping_{false};
  std::thread second_;
};

/// What is said on stdout and stderr while functions are served: never waited for, and what nobody takes is dropped. The gateway
/// writes its access log through the same writer, so that the two keep each other's lines whole.
class Console {
 public:
  gateway::LogWriter& writer() { return out_; }
  void out(std::string_view text) { out_.write(text.ends_with('\n') ? text.substr(0, text.size() - 1) : text); }
  void error(std::string_view line) { errorLine(fmt::format("error: {}", line)); }
  void errorLine(std::string_view line) { error_.write(line); }
  void report(const ManifestReport& report) {
    if (report.kind == ManifestReport::Kind::wrong) return error(report.text);
    if (report.kind != ManifestReport::Kind::unchanged) out(report.text);
  }

 private:
  gateway::LogWriter out_{{.fd = STDOUT_FILENO}}, error_{{.fd = STDERR_FILENO, .ringBytes = 64 * 1024}};
};

std::string curlLine(const kube::Object& function, const std::string& base) {
  const std::string path = (function.namespace_() == "default" ? "" : "/" + function.namespace_()) + "/" + function.name();
  const std::string url = base + path;
  std::string example = function.annotation(kAnnotationExample);
  if (example.empty()) return "curl " + url;
  const auto place = example.find("{url}");
  if (place == std::string::npos) return "curl " + example + " " + url;
  return "curl " + example.replace(place, 5, url);
}

void printStarted(Console& console, LocalInstance& instance, const fs::path& stateDir) {
  const auto address = instance.address();
  const bool any = address.ip == "0.0.0.0" || address.ip == "::";
  const std::string base = "http://" + (any ? net::Address{"127.0.0.1", address.port} : address).toString();
  std::string text = fmt::format("\nPilotlight serves at {}\n", base);
  const auto functions = instance.client().list(kube::resources::functions);
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; functions && i < functions->items.size() && i < kShown; ++i)
    text += "  " + curlLine(functions->items[i], base) + "\n";
  if (functions && functions->items.empty()) text += "  No function yet: add a YAML file, or begin with `pilotlight init cpp NAME`.\n";
  if (functions && functions->items.size() > kShown)
    text += fmt::format("  … and {} more: pilotlight get functions\n", functions->items.size() - kShown);
  text += fmt::format("What functions write: pilotlight logs NAME -f. Own log: {}\n", (stateDir / "pilotlight.log").string());
  if (const auto secure = instance.tlsAddress(); secure.port != 0) text += fmt::format("HTTPS: https://{}\n", secure.toString());
  text += fmt::format("Metrics: http://{}/metrics\n", instance.internalAddress().toString());
  text += "Edited files are applied again. Ctrl-C stops everything.\n";
  console.out(text);
}

gateway::AccessLog accessLog(const std::string& word) {
  return word == "off" ? gateway::AccessLog::off : word == "all" ? gateway::AccessLog::all : gateway::AccessLog::errors;
}

std::expected<LocalInstanceOptions, std::string> makeOptions(cli::Context& context, const cli::LocalOptions& options) {
  LocalInstanceOptions result;
  for (const auto& file : options.files) result.files.emplace_back(file);
  auto listen = net::parseAddress(options.listen);
  if (!listen) return std::unexpected(fmt::format("--listen {}: {}", options.listen, listen.error()));
  result.listen = *listen;
  auto secure = net::parseAddress(options.tlsListen);
  if (!secure) return std::unexpected(fmt::format("--listen-tls {}: {}", options.tlsListen, secure.error()));
  result.tlsListen = *secure;
  if (!options.tlsCertificate.empty()) result.certificate = tls::CertificateFiles{"local", options.tlsCertificate, options.tlsKey};
  auto shim = cli::findShim(context, options.shim);
  if (!shim) return std::unexpected(shim.error());
  result.shimPath = shim->shim;
  result.nativeHostPath = shim->nativeHost;
  result.accessLog = accessLog(options.accessLog);
  result.logLevel = options.logLevel;
  auto config = readConfigFile(options.config);
  if (!config) return std::unexpected(config.error());
  result.config = *std::move(config);
  if (options.loops) result.config.gateway.loops = *options.loops;
  if (options.pool) result.config.gateway.pool = *options.pool;
  result.stopGrace = std::chrono::seconds(options.stopSeconds);
  return result;
}

}  // namespace

int runLocal(cli::Context& context, const cli::LocalOptions& options) {
  Signals signals;
  net::raiseDescriptorLimit();
  auto config = makeOptions(context, options);
  if (!config) return cli::fail(context, config.error());
  auto stateDir = cli::StateDir::open(cli::stateDirPath(options.stateDir, context.environment));
  if (!stateDir) return cli::fail(context, stateDir.error());
  Console console;
  const auto log = LocalLog::open(stateDir->path() / "pilotlight.log", [&](std::string_view line) { console.errorLine(line); });
  if (!log) return cli::fail(context, log.error());
  config->stateDir = stateDir->path();
  config->log = [&](std::string_view line) { log->line(line); };
  config->console = &console.writer();
  config->report = [&](const ManifestReport& report) { console.report(report); };
  LocalInstance instance(std::move(*config));
  if (auto started = instance.start(); !started) {
    instance.stop();
    return cli::fail(context, started.error());
  }
  constexpr std::chrono::seconds kRoutesSoon{5};  // the lines that are printed should work at once
  instance.waitForRoutes(kRoutesSoon);
  printStarted(console, instance, stateDir->path());
  signals.wait();
  signals.exitOnNext();
  console.out("\nStopping; once more to stop at once.");
  instance.stop();
  return 0;
}

}  // namespace pilotlight::local
