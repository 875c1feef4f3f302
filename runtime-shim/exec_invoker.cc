#include "runtime-shim/exec_invoker.h"

#include <unistd.h>

#include <cstdlib>

#include "api/shim_contract.h"
#include "runtime-shim/exec_invocation.h"

namespace pilotlight::shim {
namespace {

std::string variableName(std::string_view prefix, std::string_view header) {
  std::string name(prefix);
  for (char c : header) name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name + "=";
}

void addHeader(std::vector<std::string>& variables, std::size_t from, const net::Header& header) {
  constexpr std::string_view kParam = contract::kHeaderParamPrefix;
  constexpr std::string_view kOurs = contract::kHeaderPrefix;
  if (header.name.size() > kParam.size() && net::equalsIgnoreCase(header.name.substr(0, kParam.size()), kParam)) {
    variables.push_back("HTTP_PARAM_" + std::string(header.name.substr(kParam.size())) + "=" + std::string(header.value));
    return;
  }
  if (header.name.size() >= kOurs.size() && net::equalsIgnoreCase(header.name.substr(0, kOurs.size()), kOurs)) return;
  if (header.name.find('_') != std::string_view::npos) return;  // X_Forwarded_For would pass for X-Forwarded-For
  std::string name = variableName("HTTP_HEADER_", header.name);
  for (std::size_t i = from; i < variables.size(); ++i) {
    if (variables[i].starts_with(name)) {
      variables[i].append(", ").append(header.value);
      return;
    }
  }
  variables.push_back(name.append(header.value));
}

}  // namespace

std::vector<std::string> requestEnvironment(const Call& call) {
  const net::RequestHead& head = call.head();
  auto deadline = std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline().time_since_epoch()).count();
  std::vector<std::string> variables = {"HTTP_METHOD=" + std::string(head.method), "HTTP_PATH=" + std::string(head.path),
                                        "HTTP_QUERY=" + std::string(head.query), "HTTP_DEADLINE=" + std::to_string(deadline),
                                        "REQUEST_ID=" + std::string(call.requestId())};
  for (const net::Header& header : head.headers) addHeader(variables, 5, header);
  return variables;
}

ExecInvoker::ExecInvoker(net::Loop& loop, const Config& config, Children& children, const Log& log)
    : loop_(loop),
      config_(config),
      children_(children),
      log_(log),
      environment_(handlerEnvironment(environ)),
      arguments_(config.handler),
      backoff_(config.settings.restartPause, config.settings.restartMaxPause),
      timer_([this] { look(); }) {}

void ExecInvoker::start(std::function<void(bool)> onReadiness) {
  onReadiness_ = std::move(onReadiness);
  look();
}

void ExecInvoker::look() {
  const char* path = ::getenv("PATH");
  auto program = findExecutable(config_.handler.front(), path ? path : "");
  if (!program) {
    auto delay = backoff_.next();
    log_.error("handler can't be started", {{"error", "start-failed"}, {"reason", program.error()}, {"retry_in_ms", delay.count()}});
    return loop_.arm(timer_, delay);
  }
  program_ = *std::move(program);
  onReadiness_(true);
  log_.info("ready", {{"program", program_}});
}

Invocation& ExecInvoker::invoke(Call& call) {
  return *std::make_unique<ExecInvocation>(*this, call).release();
}

void ExecInvoker::retire(Invocation& invocation) {
  loop_.destroyLater(std::unique_ptr<Invocation>(&invocation));
}

void ExecInvoker::stop(net::Clock::time_point, std::function<void()> done) {
  timer_.cancel();
  loop_.post(std::move(done));  // what still runs is killed with all other descendants
}

}  // namespace pilotlight::shim
