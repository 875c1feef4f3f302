#include "runtime-shim/supervised_process.h"

#include <sys/wait.h>

#include <csignal>
#include <utility>

namespace pilotlight::shim {

SupervisedProcess::SupervisedProcess(net::Loop& loop, Children& children, const Log& log, const Settings& settings, bool signalGroup,
                                     Events events)
    : loop_(loop),
      children_(children),
      log_(log),
      settings_(settings),
      signalGroup_(signalGroup),
      events_(std::move(events)),
      backoff_(settings),
      timer_([this] { onTimer(); }) {}

SupervisedProcess::~SupervisedProcess() {
  if (pid_ != 0) children_.disown(pid_);
}

void SupervisedProcess::start() {
  intent_ = Intent::keepRunning;
  failedStarts_ = 0;
  spawn();
}

void SupervisedProcess::spawn() {
  backoff_.started(net::Clock::now());
  ready_ = false;
  auto pid = events_.spawn();
  if (!pid) {
    auto delay = backoff_.ended(net::Clock::now());
    log_.error("handler can't be started", {{"error", "start-failed"}, {"reason", pid.error()}, {"retry_in_ms", delay.count()}});
    if (givesUp(kNotFound)) return;
    ++restarts_;
    return loop_.arm(timer_, delay);
  }
  pid_ = *pid;
  children_.add(pid_, true, [this](int status) { onEnded(status); });
  events_.started();
}

void SupervisedProcess::onEnded(int status) {
  pid_t pid = std::exchange(pid_, 0);
  timer_.cancel();
  if (intent_ == Intent::stop) {
    if (stopped_) std::exchange(stopped_, nullptr)();
    return;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == events_.restCode) return events_.rests();
  auto delay = backoff_.ended(net::Clock::now());
  log_.error("handler ended", {{"pid", pid}, {"how", describeWaitStatus(status)}, {"restart_in_ms", delay.count()}});
  const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (!ready_ && givesUp(code == 0 ? 1 : code)) return;  // a server that ends is no success
  ++restarts_;
  loop_.arm(timer_, delay);
  events_.ended();
}

bool SupervisedProcess::givesUp(int code) {
  if (++failedStarts_ < settings_.failedStarts) return false;
  log_.error("handler given up: it never got ready", {{"starts", failedStarts_}, {"exit_code", code}});
  exitCode_ = code;
  loop_.stop();
  return true;
}

void SupervisedProcess::onTimer() {
  if (pid_ == 0) return spawn();
  log_.warn("handler did not end in time: killed", {{"pid", pid_}});
  ::kill(-pid_, SIGKILL);
}

void SupervisedProcess::stop(net::Clock::time_point deadline, std::function<void()> done) {
  intent_ = Intent::stop;
  timer_.cancel();
  if (pid_ == 0) return loop_.post(std::move(done));
  stopped_ = std::move(done);
  signal(SIGTERM);
  loop_.arm(timer_, deadline);
}

void SupervisedProcess::tell(int number) {
  if (pid_ != 0) ::kill(pid_, number);
}

void SupervisedProcess::signal(int number) {
  if (pid_ != 0) ::kill(signalGroup_ ? -pid_ : pid_, number);
}

}  // namespace pilotlight::shim
