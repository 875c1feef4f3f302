#include "runtime-shim/supervisor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "api/shim_contract.h"
#include "runtime-shim/host_contract.h"

namespace pilotlight::shim {
namespace {

using std::chrono::milliseconds;

// The host gets our whole environment but for what only PID 1 does.
std::vector<std::string> hostEnvironment() {
  std::vector<std::string> kept;
  for (char** entry = environ; *entry; ++entry) {
    std::string_view text = *entry;
    std::string_view name = text.substr(0, text.find('='));
    if (name != contract::kEnvReadyFd && name != contract::kEnvParentPid && name != contract::kEnvCallHomeKey) kept.emplace_back(text);
  }
  return kept;
}

std::string hostPath(const Config& config) {
  if (!config.nativeHost.empty()) return config.nativeHost;
  char self[4096];
  ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  std::string path(self, size > 0 ? static_cast<std::size_t>(size) : 0);
  return path.substr(0, path.rfind('/') + 1) + "pilotlight-native-host";
}

}  // namespace

// Answers in place of the host.
class Supervisor::Down final : public Invoker {
 public:
  Down(Supervisor& owner, net::Fd listener) : server_(owner.loop_, owner.config_, *this, owner.metrics_, owner.log_) {
    server_.listen(std::move(listener));
  }
  void close(std::function<void()> done) { server_.leave(std::move(done)); }
  void start(std::function<void(bool)>) override {}
  Invocation& invoke(Call&) override { std::abort(); }  // it is never ready
  void retire(Invocation&) override { std::abort(); }
  void stop(net::Clock::time_point, std::function<void()>) override {}

 private:
  FunctionServer server_;
};

Supervisor::Supervisor(net::Loop& loop, const Config& config, net::Fd listener, Children& children, Metrics& metrics, const Log& log)
    : loop_(loop),
      config_(config),
      listener_(std::move(listener)),
      metrics_(metrics),
      log_(log),
      environment_(hostEnvironment()),
      process_(loop, children, log, config.settings, false,
               {[this] { return spawnHost(); }, [this] { onStarted(); }, [this] { onEnded(); }}) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  statusRead_ = net::Fd(ends[0]);
  statusWrite_ = net::Fd(ends[1]);
  ::fcntl(statusRead_.get(), F_SETFL, O_NONBLOCK);
}

Supervisor::~Supervisor() {
  loop_.remove(statusRead_.get(), *this);
}

void Supervisor::start() {
  process_.start();
  loop_.add(statusRead_.get(), EPOLLIN, *this);
}

std::expected<pid_t, std::string> Supervisor::spawnHost() {
  const std::string path = hostPath(config_);
  std::vector<std::string> command = {path, "--"};
  command.insert(command.end(), config_.handler.begin(), config_.handler.end());
  std::vector<std::string> variables = {std::string(kEnvListenFd) + "=" + std::to_string(listener_.get()),
                                        std::string(kEnvStatusFd) + "=" + std::to_string(statusWrite_.get()),
                                        std::string(kEnvRestarts) + "=" + std::to_string(process_.restarts()),
                                        std::string(kEnvBegun) + "=" + std::to_string(config_.begunNs)};
  if (!config_.callHomeKey.empty()) variables.push_back(std::string(contract::kEnvCallHomeKey) + "=" + config_.callHomeKey);
  const std::array<SpawnRequest::Redirect, 2> inherited = {{{listener_.get(), listener_.get()}, {statusWrite_.get(), statusWrite_.get()}}};
  ArgumentList arguments(command), environment(environment_, variables);
  auto pid = spawn({path.c_str(), arguments.data(), environment.data(), inherited, true});
  if (!pid) return std::unexpected(path + ": " + std::strerror(pid.error()));
  return *pid;
}

void Supervisor::onStarted() {
  metrics_.handlerRestarts(process_.restarts());
  if (!down_) return;
  // Posted: by then the host may have ended again, and another may stand in.
  down_->close([this, ends = downs_] {
    if (downs_ == ends) down_.reset();
  });
}

void Supervisor::onEnded() {
  if (std::exchange(hostReady_, false)) relay("unready\n");
  if (terminating_) return loop_.stop();
  down_.reset();
  ++downs_;
  down_ = std::make_unique<Down>(*this, net::Fd(::fcntl(listener_.get(), F_DUPFD_CLOEXEC, 3)));
}

void Supervisor::relay(std::string_view text) {
  if (config_.readyFd >= 0) [[maybe_unused]]
    ssize_t ignored = ::write(config_.readyFd, text.data(), text.size());
}

void Supervisor::onReady(std::uint32_t) {
  char text[256];
  ssize_t size = ::read(statusRead_.get(), text, sizeof text);
  if (size <= 0) return;
  std::string_view said(text, static_cast<std::size_t>(size));
  hostReady_ = !said.ends_with("unready\n");
  if (hostReady_) process_.settled();
  relay(said);
}

void Supervisor::terminate() {
  if (terminating_ || !process_.running()) return loop_.stop();
  terminating_ = true;
  // The host keeps the same grace by itself; the margin lets it end in order.
  process_.stop(net::Clock::now() + config_.grace + milliseconds(600), [this] { loop_.stop(); });
}

}  // namespace pilotlight::shim
