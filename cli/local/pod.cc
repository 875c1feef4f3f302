#include "cli/local/pod.h"

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "api/api.h"
#include "api/shim_contract.h"
#include "api/types.h"
#include "cli/local/json_read.h"
#include "cli/local/mounts.h"
#include "net/descriptor_limit.h"

namespace pilotlight::local {

using kube::Json;

namespace {

constexpr const char* kManager = "kubelet";
constexpr std::chrono::milliseconds kRetry{500};
constexpr std::chrono::seconds kResync{10};
constexpr std::size_t kDrainBytes = std::size_t{1} << 20;

std::string nowText() {
  return api::formatTime(std::chrono::system_clock::now());
}

Json firstContainer(const kube::Object& pod) {
  const Json* container = pod.at("/spec/containers/0");
  return container ? *container : Json::object();
}

kube::Key logKeyOf(const kube::Object& pod) {
  const std::string& function = pod.label(api::kLabelFunction);
  return {pod.namespace_(), function.empty() ? pod.name() : function};
}

void setInherited(Variables& variables, const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  if (value || fallback) variables.emplace(name, value ? value : fallback);
}

}  // namespace

struct Pod::Running {
  Process process;
  LineReader out, err, ready;
};

std::filesystem::path PodContext::folderOf(const std::string& uid) const {
  return std::filesystem::path(options.stateDir) / "pods" / uid;
}

void PodContext::log(const char* level, const char* message, Json fields) const {
  if (!options.log) return;
  fields["level"] = level;
  fields["msg"] = message;
  fields["ts"] = nowText();
  fields["component"] = "runner";
  options.log(fields.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Pod::Pod(PodContext& context, kube::Object object)
    : context_(context),
      object_(std::move(object)),
      container_(firstContainer(object_)),
      logKey_(logKeyOf(object_)),
      sources_(context.client, object_.namespace_()),
      restart_([this] { launch(); }),
      killer_([this] { kill(); }),
      retryPublish_([this] { publish(); }),
      retryRemove_([this] { removeObject(); }) {
  observed_.container = textMember(container_, "name");
  observed_.image = textMember(container_, "image");
  observed_.startTime = observed_.readySince = nowText();
}

Pod::~Pod() {
  if (port_) context_.ports.giveBack(*port_);
  if (process_) context_.loop.remove(process_->process.pidfd.get(), *this);
}

// --- starting ---

void Pod::start() {
  hasRoom_ = true;
  observed_.reason.clear();
  observed_.message.clear();
  launch();
}

void Pod::waitForRoom(int used) {
  observed_.reason = "OutOfpods";
  observed_.message = "Node didn't have enough resource: pods, requested: 1, used: " + std::to_string(used) +
                      ", capacity: " + std::to_string(context_.options.maxPods);
  publish();
}

void Pod::launch() {
  restart_.cancel();
  auto command = prepare();
  if (!command) return failConfig(command.error());
  auto process = spawn(*command);
  if (!process) {
    context_.log("error", "process not started", {{"pod", key().toString()}, {"error", process.error()}});
    return restartLater("RunContainerError", process.error());
  }
  begin(std::move(*process));
}

std::expected<Command, std::string> Pod::prepare() {
  if (auto address = ensureAddress(); !address) return std::unexpected(address.error());
  const std::filesystem::path root = context_.folderOf(uid()) / "root";
  if (auto made = makeFolders(root); !made) return std::unexpected(made.error());
  auto variables = resolveVariables(sources_, object_, container_, address_->ip);
  if (!variables) return std::unexpected(variables.error());
  if (auto mounted = layOutMounts(sources_, object_, container_, root); !mounted) return std::unexpected(mounted.error());
  if (auto port = ensurePort(*variables); !port) return std::unexpected(port.error());
  const std::string& workDir = object_.annotation(api::kAnnotationWorkDir);
  Command command;
  command.program = context_.options.shimPath;
  command.workDir = workDir.empty() ? root.string() : workDir;
  command.arguments = resolveArguments(container_, *variables);
  command.environment = environment(std::move(*variables));
  return command;
}

std::expected<void, std::string> Pod::ensureAddress() {
  if (address_) return {};
  auto lease = context_.addresses.take();
  if (!lease) return std::unexpected(lease.error());
  address_ = std::move(*lease);
  return {};
}

/// A cluster's pods have a network each; here they share one, so the handler of a Function that names no port gets a free one.
std::expected<void, std::string> Pod::ensurePort(Variables& variables) {
  const auto runtime = variables.find(contract::kEnvRuntime);
  if (runtime == variables.end() || runtime->second != "http" || variables.contains(contract::kEnvHandlerPort)) return {};
  if (port_) context_.ports.giveBack(*port_);  // another one: its crash may have been that somebody else took the port
  port_.reset();
  const auto port = context_.ports.take();
  if (!port) return std::unexpected(port.error());
  port_ = *port;
  variables[contract::kEnvHandlerPort] = std::to_string(*port_);
  return {};
}

std::vector<std::string> Pod::environment(Variables variables) {
  setInherited(variables, "PATH", "/usr/local/bin:/usr/bin:/bin");
  setInherited(variables, "HOME", nullptr);
  setInherited(variables, "LANG", nullptr);
  variables[contract::kEnvListen] = address_->ip + ":" + std::to_string(api::kShimPort);
  variables[contract::kEnvParentPid] = std::to_string(getpid());
  variables[contract::kEnvDescriptors] = std::to_string(net::usualDescriptorLimit());  // ours has been raised
  variables[contract::kEnvReadyFd] = std::to_string(kReadyFd);
  variables[contract::kEnvMountRoot] = (context_.folderOf(uid()) / "root").string();
  if (variables[contract::kEnvGateways].empty()) variables[contract::kEnvGateways] = context_.options.gateways;
  if (!context_.options.nativeHostPath.empty()) variables[contract::kEnvNativeHost] = context_.options.nativeHostPath;
  for (const auto& [name, value] : context_.options.variables) variables.emplace(name, value);
  std::vector<std::string> out;
  out.reserve(variables.size());
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
  return out;
}

void Pod::begin(Process process) {
  const int pidfd = process.pidfd.get();
  net::Fd out = std::move(process.out), err = std::move(process.err), ready = std::move(process.ready);
  process_.reset(new Running{std::move(process),
                             {context_.loop, std::move(out), [this](std::string_view line) { onOutput(false, line); }},
                             {context_.loop, std::move(err), [this](std::string_view line) { onOutput(true, line); }},
                             {context_.loop, std::move(ready), [this](std::string_view line) { onReadiness(line); }}});
  context_.loop.add(pidfd, EPOLLIN, *this);
  state_ = State::running;
  if (startedAt_ != net::Clock::time_point{}) ++observed_.restarts;
  startedAt_ = net::Clock::now();
  tail_.clear();
  observed_.phase = "Running";
  observed_.started = true;
  observed_.ip = address_->ip;
  observed_.state = runningState(nowText());
  publish();  // first of all: the gateway knows the process by this address
  context_.log("info", "process started", {{"pod", key().toString()}, {"pid", process_->process.pid}, {"address", address_->ip}});
  context_.onProcess(*this);
}

// --- while it runs ---

void Pod::onOutput(bool isStderr, std::string_view line) {
  tail_.add(line);
  context_.logs.append(logKey_, object_.name(), isStderr, line);
}

void Pod::onReadiness(std::string_view line) {
  if (line == "ready" || line == "unready") setReady(line == "ready");
}

pid_t Pod::pid() const {
  return process_ ? process_->process.pid : -1;
}

void Pod::setReady(bool ready) {
  if (observed_.ready == ready) return;
  observed_.ready = ready;
  observed_.readySince = nowText();
  publish();
}

void Pod::sourceChanged(const SourceName& source) {
  if (!sources_.uses(source)) return;
  if (state_ == State::waitingForConfig) return launch();
  if (state_ != State::running) return;  // a restart reads it anyway
  // A running process keeps the files that it has when the new ones can't be laid out, as with the kubelet.
  if (auto done = layOutMounts(sources_, object_, container_, context_.folderOf(uid()) / "root"); !done)
    context_.log("warn", "mounts not refreshed", {{"pod", key().toString()}, {"error", done.error()}});
}

void Pod::onReady(std::uint32_t) {
  // Before the process is reaped its id is still its own, and its group and session are findable. A shim that ended in
  // order has ended its children; one that was killed or crashed could not.
  const auto exit = peekExit(process_->process);
  if (!exit) return;
  killAll(process_->process, exit->code != 0);
  reap(process_->process);
  ended(*exit);
}

// --- ending ---

void Pod::ended(const ExitStatus& exit) {
  process_->out.finish(kDrainBytes);
  process_->err.finish(kDrainBytes);
  process_->ready.finish(0);
  context_.loop.remove(process_->process.pidfd.get(), *this);
  context_.loop.destroyLater(std::move(process_));
  killer_.cancel();
  context_.log("info", "process ended", {{"pod", key().toString()}, {"exitCode", exit.code}, {"signal", exit.signal}});
  const Json* startedAt = observed_.state.contains("running") ? member(observed_.state["running"], "startedAt") : nullptr;
  Json terminated = terminatedState(exit, startedAt ? startedAt->get<std::string>() : "", nowText(), tail_.text());
  if (observed_.ready) observed_.readySince = nowText();
  observed_.ready = observed_.started = false;
  context_.onProcess(*this);
  if (state_ == State::stopping) return afterEnd();
  const std::string& policy = object_.stringAt("/spec/restartPolicy");
  if (policy == "Never" || (policy == "OnFailure" && exit.code == 0)) {
    state_ = State::finished;
    observed_.phase = exit.code == 0 ? "Succeeded" : "Failed";
    observed_.state = std::move(terminated);
    return publish();
  }
  observed_.lastState = std::move(terminated);
  if (net::Clock::now() - startedAt_ >= context_.options.backoffReset) crashes_ = 0;
  restartLater("", "");
}

/// The kubelet's back-off: at once, base, 2 base, 4 base, … max. An empty reason: it ran, and crashed.
void Pod::restartLater(const std::string& reason, const std::string& message) {
  const auto doubled = context_.options.backoffBase * (1LL << std::clamp(crashes_ - 1, 0, 20));
  const auto delay =
      crashes_ == 0 ? std::chrono::milliseconds(0) : std::min<std::chrono::milliseconds>(doubled, context_.options.backoffMax);
  state_ = State::backingOff;
  if (!reason.empty())
    observed_.state = waitingState(reason, message);
  else if (crashes_ == 0)
    observed_.state = observed_.lastState;
  else
    observed_.state =
        waitingState("CrashLoopBackOff", "back-off " + api::formatDuration(delay) + " restarting failed container=" + observed_.container +
                                             " pod=" + object_.name() + "_" + object_.namespace_() + "(" + uid() + ")");
  ++crashes_;
  context_.loop.arm(restart_, delay);
  publish();
}

void Pod::failConfig(const std::string& message) {
  state_ = State::waitingForConfig;
  observed_.state = waitingState("CreateContainerConfigError", message);
  context_.loop.arm(restart_, kResync);  // a change of the source comes earlier; this is for everything else
  publish();
}

void Pod::update(const kube::Object& object) {
  object_ = object;
  if (!object.deleting() || state_ == State::removing || state_ == State::over) return;
  const auto grace = std::chrono::seconds(std::max<std::int64_t>(object.intAt("/metadata/deletionGracePeriodSeconds", 30), 0));
  const auto due = net::Clock::now() + grace;
  if (ending_ == Ending::none) {
    killAt_ = due;
    stop(Ending::removeObject);
    if (process_) context_.loop.arm(killer_, killAt_);
  } else if (process_ && due < killAt_ && ending_ == Ending::removeObject) {
    killAt_ = due;  // deleted once more, with a shorter grace
    context_.loop.arm(killer_, killAt_);
  }
}

void Pod::vanished() {
  stop(Ending::objectGone);
  kill();
}

void Pod::shutDown() {
  stop(Ending::shutDown);
}

void Pod::stop(Ending ending) {
  if (state_ == State::over) return;
  ending_ = ending;
  restart_.cancel();
  if (!process_) return afterEnd();
  if (state_ != State::stopping) sendSignal(process_->process, SIGTERM);
  state_ = State::stopping;
}

void Pod::kill() {
  if (process_) killAll(process_->process, true);
}

void Pod::afterEnd() {
  removeTree(context_.folderOf(uid()));
  if (ending_ != Ending::removeObject) return finishOver();
  state_ = State::removing;
  removeObject();
}

void Pod::removeObject() {
  const auto removed = context_.client.remove(kube::resources::pods, key(), {.uid = uid(), .resourceVersion = {}, .gracePeriodSeconds = 0});
  const bool retry = !removed && removed.error().code != kube::ErrorCode::notFound && removed.error().code != kube::ErrorCode::conflict &&
                     removed.error().code != kube::ErrorCode::cancelled;
  if (!retry) return finishOver();
  context_.log("warn", "pod not removed", {{"pod", key().toString()}, {"error", removed.error().message}});
  context_.loop.arm(retryRemove_, kRetry);
}

void Pod::finishOver() {
  if (state_ == State::over) return;
  state_ = State::over;
  retryPublish_.cancel();
  retryRemove_.cancel();
  context_.onOver(*this);
}

// --- status ---

void Pod::publish() {
  if (state_ == State::over || ending_ == Ending::objectGone) return;
  Json status = podStatus(observed_);
  if (status == written_) return;
  const auto patched =
      context_.client.mergePatch(kube::resources::pods, key(), {{"metadata", {{"uid", uid()}}}, {"status", status}}, kManager, "status");
  if (patched) {
    written_ = std::move(status);
    return;
  }
  const kube::ErrorCode code = patched.error().code;
  if (code == kube::ErrorCode::notFound || code == kube::ErrorCode::conflict || code == kube::ErrorCode::cancelled)
    return;  // another Pod, or none
  context_.log("warn", "pod status not written", {{"pod", key().toString()}, {"error", patched.error().message}});
  context_.loop.arm(retryPublish_, kRetry);
}

}  // namespace pilotlight::local
