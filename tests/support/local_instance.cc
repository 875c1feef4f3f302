#include "tests/support/local_instance.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/support/wait.h"

namespace pilotlight::test {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

LocalInstance::LocalInstance() {
  fs::create_directories(functions());
  fs::create_directories(scratch());
}

LocalInstance::~LocalInstance() {
  if (process_ && !stop(SIGTERM)) process_->signalGroup(SIGKILL);
  // A test that failed may leave others; they must not outlive it.
  for (const Process& left : processesIn(functions())) kill(left.pid, SIGKILL);
}

void LocalInstance::addExample(const std::string& name) {
  fs::copy(fs::path(PILOTLIGHT_EXAMPLES) / name, functions() / name, fs::copy_options::recursive);
}

void LocalInstance::addFile(const std::string& path, std::string_view content) {
  writeFile(functions() / path, content);
}

std::string LocalInstance::recorderYaml(const std::string& name, const std::string& spec, const std::string& label) const {
  return "apiVersion: pilotlight.dev/v1alpha1\n"
         "kind: Function\n"
         "metadata:\n"
         "  name: " +
         name + "\n" +
         "spec:\n"
         "  runtime: native\n"
         "  handler: [librecorder.so, handle]\n"
         "  env:\n"
         "    - {name: LABEL, value: \"" +
         label + "\"}\n" + "    - {name: RECORD_FILE, value: \"" + record(name).string() + "\"}\n" + spec;
}

void LocalInstance::addRecorder(const std::string& name, const std::string& spec, const std::string& label) {
  fs::create_directories(functions() / name);
  fs::copy_file(PILOTLIGHT_RECORDER, functions() / name / "librecorder.so", fs::copy_options::skip_existing);
  addFile(name + "/function.yaml", recorderYaml(name, spec, label));
}

std::expected<void, std::string> LocalInstance::start(std::vector<std::string> arguments, int stdoutFd) {
  const std::string listen = "127.0.0.1:" + std::to_string(port_);
  arguments.insert(arguments.begin(), {"local", "-f", functions().string(), "--listen", listen});
  Command command = cliCommand(std::move(arguments));
  command.out = stdoutFd;
  process_.emplace(command);
  bool ended = false;
  const auto listens = [&] {
    ended = process_->wait(0ms).has_value();
    return ended || (get("/").has_value() && std::filesystem::exists(temp_.path() / "state" / "kubeconfig"));  // for cli()
  };
  if (waitUntil(listens, 30s) && !ended) return {};
  return std::unexpected((ended ? "pilotlight local ended:\n" : "the gateway does not listen:\n") + output());
}

std::optional<int> LocalInstance::stop(int signal, std::chrono::milliseconds limit) {
  process_->signal(signal);
  return process_->wait(limit);
}

void LocalInstance::interruptGroup() const {
  process_->signalGroup(SIGINT);
}

std::string LocalInstance::output() const {
  return process_ ? process_->out() + process_->err() : "";
}

std::string LocalInstance::metrics() const {
  std::ifstream file(temp_.path() / "state" / "kubeconfig");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t port = text.rfind("127.0.0.1:"), token = text.find("token: ");
  if (port == std::string::npos || token == std::string::npos) return {};
  std::string secret = text.substr(token + 7, text.find('\n', token) - token - 7);
  std::erase(secret, '"');
  const HttpResult result =
      fetch(std::atoi(text.c_str() + port + 10), {.target = "/metrics", .headers = {{"Authorization", "Bearer " + secret}}});
  return result ? result->body : "";
}

std::future<HttpResult> LocalInstance::requestLater(HttpRequest request) const {
  return std::async(std::launch::async, [port = port_, request = std::move(request)] { return fetch(port, request); });
}

Command LocalInstance::cliCommand(std::vector<std::string> arguments, const fs::path& workDir) const {
  arguments.insert(arguments.begin(), PILOTLIGHT_PROGRAM);
  return {std::move(arguments), {{"PILOTLIGHT_HOME", (temp_.path() / "state").string()}, {"KUBECONFIG", ""}}, workDir};
}

Outcome LocalInstance::cli(std::vector<std::string> arguments, const fs::path& workDir) const {
  return run(cliCommand(std::move(arguments), workDir));
}

json LocalInstance::function(const std::string& name) const {
  const Outcome outcome = cli({"get", "functions", name, "-o", "json"});
  if (outcome.exit != 0) return nullptr;
  return json::parse(outcome.out, nullptr, false);
}

bool LocalInstance::waitUntilFunction(const std::string& name, const std::function<bool(const json&)>& condition,
                                      std::chrono::milliseconds limit) const {
  const auto holds = [&] {
    const json now = function(name);
    return now.is_object() && condition(now);
  };
  return waitUntil(holds, limit);
}

bool LocalInstance::waitUntilReady(const std::string& name) const {
  return waitUntilFunction(name, [](const json& function) {
    return function["metadata"].value("generation", 0) == function.value("/status/observedGeneration"_json_pointer, -1) &&
           conditionOf(function, "Ready").starts_with("True");
  });
}

// A shim carries its function's name in its environment; the test may read it, because it runs as the same user.
std::vector<Process> LocalInstance::shims(const std::string& name) const {
  std::vector<Process> found;
  for (const Process& process : tree()) {
    if (process.state == 'Z' || process.command.find("pilotlight-shim") == std::string::npos) continue;
    const std::string environment = readFile("/proc/" + std::to_string(process.pid) + "/environ");
    if (environment.find(std::string("PILOTLIGHT_FUNCTION=" + name) + '\0') != std::string::npos) found.push_back(process);
  }
  return found;
}

std::string conditionOf(const json& function, const std::string& type) {
  if (!function.is_object()) return {};
  for (const json& condition : function.value("/status/conditions"_json_pointer, json::array())) {
    if (condition.value("type", "") != type) continue;
    return condition.value("status", "") + "/" + condition.value("reason", "") + ": " + condition.value("message", "");
  }
  return {};
}

}  // namespace pilotlight::test
