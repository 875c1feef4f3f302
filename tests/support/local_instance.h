// A `pilotlight local` of a test's own: its folder of functions, its state, its ports.
// Thread-safety: one thread, but request() and cli() may be called from several.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/http.h"
#include "tests/support/process_tree.h"
#include "tests/support/subprocess.h"

namespace pilotlight::test {

class LocalInstance {
 public:
  LocalInstance();
  ~LocalInstance();  ///< SIGTERM, and SIGKILL for what is left

  /// What is served and watched. Files may be written before and after start().
  std::filesystem::path functions() const { return temp_.path() / "functions"; }
  /// For records and gates; not watched.
  std::filesystem::path scratch() const { return temp_.path() / "scratch"; }
  void addExample(const std::string& name);
  void addFile(const std::string& path, std::string_view content);  ///< path: relative to functions()

  /// A function of recorder.cc in a folder of its name. `spec` are further lines of the spec, indented by two; the record
  /// goes to record(name).
  void addRecorder(const std::string& name, const std::string& spec = "", const std::string& label = "v1");
  std::string recorderYaml(const std::string& name, const std::string& spec = "", const std::string& label = "v1") const;
  std::filesystem::path record(const std::string& name) const { return scratch() / (name + ".record"); }
  std::filesystem::path gate(const std::string& name) const { return scratch() / (name + ".gate"); }

  /// Starts it and waits until the gateway listens. The error holds its output. `stdoutFd`: -1 keeps it for output().
  std::expected<void, std::string> start(std::vector<std::string> arguments = {}, int stdoutFd = -1);
  /// Sends the signal and waits for the end. nullopt: it still runs.
  std::optional<int> stop(int signal, std::chrono::milliseconds limit = std::chrono::seconds(20));
  std::optional<int> waitForEnd(std::chrono::milliseconds limit) { return process_->wait(limit); }
  void interruptGroup() const;  ///< Ctrl-C
  bool running() const { return process_.has_value(); }
  pid_t pid() const { return process_->pid(); }
  int port() const { return port_; }
  std::string output() const;
  std::string metrics() const;  ///< of gateway and operator, from the API; empty: it is not there yet

  HttpResult request(const HttpRequest& request) const { return fetch(port_, request); }
  HttpResult get(const std::string& target) const { return fetch(port_, {.target = target}); }
  std::future<HttpResult> requestLater(HttpRequest request) const;
  /// `pilotlight ARGS…` against this instance.
  Outcome cli(std::vector<std::string> arguments, const std::filesystem::path& workDir = ".") const;
  Command cliCommand(std::vector<std::string> arguments, const std::filesystem::path& workDir = ".") const;

  /// The Function as `pilotlight get` gives it; null when there is none.
  nlohmann::json function(const std::string& name) const;
  bool waitUntilFunction(const std::string& name, const std::function<bool(const nlohmann::json& function)>& condition,
                         std::chrono::milliseconds limit = std::chrono::seconds(20)) const;
  bool waitUntilReady(const std::string& name) const;

  /// The shims of a function: its replicas.
  std::vector<Process> shims(const std::string& name) const;
  std::vector<Process> tree() const { return descendants(pid()); }

 private:
  TempDir temp_;
  int port_ = freePort();
  std::optional<Subprocess> process_;
};

/// status and reason of a condition: "False/HostConflict: message"; empty when there is none.
std::string conditionOf(const nlohmann::json& function, const std::string& type);

}  // namespace pilotlight::test
