#include "runtime-shim/exec_invocation.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace pilotlight::shim {
namespace {

struct PipeEnds {
  net::Fd read, write;
};

std::expected<PipeEnds, std::string> makePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(std::string("pipe: ") + std::strerror(errno));
  return PipeEnds{net::Fd(ends[0]), net::Fd(ends[1])};
}

void makeNonBlocking(const net::Fd& fd) {
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
}

}  // namespace

void ExecInvocation::Pipe::close() {
  watch(0);
  fd_.reset();
}

void ExecInvocation::Pipe::watch(std::uint32_t events) {
  if (!fd_ || watched_ == (events != 0)) return;
  watched_ = events != 0;
  if (watched_) {
    loop_.add(fd_.get(), events, *this);
  } else {
    loop_.remove(fd_.get(), *this);
  }
}

ExecInvocation::ExecInvocation(ExecInvoker& invoker, Call& call)
    : invoker_(invoker),
      call_(call),
      input_(invoker.loop_, [this] { writeInput(); }),
      output_(invoker.loop_, [this] { readOutput(); }),
      failed_([this] { call_.fail(500, "start-failed", failure_); }) {}

ExecInvocation::~ExecInvocation() {
  if (pid_ == 0) return;
  invoker_.children_.disown(pid_);
  ::kill(-pid_, SIGKILL);
}

void ExecInvocation::begin() {
  failure_ = spawnProgram();
  if (!failure_.empty()) invoker_.loop_.arm(failed_, std::chrono::milliseconds(0));
}

std::string ExecInvocation::spawnProgram() {
  auto input = makePipe();
  auto output = makePipe();
  if (!input || !output) return (input ? output : input).error();
  const std::array<SpawnRequest::Redirect, 2> redirects = {{{input->read.get(), STDIN_FILENO}, {output->write.get(), STDOUT_FILENO}}};
  const auto variables = requestEnvironment(call_);
  ArgumentList environment(invoker_.environment_, variables);
  auto pid = spawn({invoker_.program_.c_str(), invoker_.arguments_.data(), environment.data(), redirects, true});
  if (!pid) return invoker_.program_ + ": " + std::strerror(pid.error());
  pid_ = *pid;
  invoker_.children_.add(pid_, true, [this](int status) { onExit(status); });
  makeNonBlocking(input->write);
  makeNonBlocking(output->read);
  input_.open(std::move(input->write));
  output_.open(std::move(output->read));
  output_.watch(EPOLLIN);
  return {};
}

void ExecInvocation::onBody(std::string_view part) {
  if (!input_.isOpen()) return;  // the program doesn't want it
  pending_.append(part);
  writeInput();
}

void ExecInvocation::onBodyEnd() {
  bodyEnded_ = true;
  if (pending_.empty()) input_.close();
}

void ExecInvocation::writeInput() {
  std::size_t done = 0;
  while (done < pending_.size()) {
    ssize_t count = ::write(input_.fd(), pending_.data() + done, pending_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      pending_.erase(0, done);
      call_.pauseBody();
      return input_.watch(EPOLLOUT);
    }
    if (count < 0) {  // it has closed its standard input: what comes is read and dropped
      input_.close();
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  pending_.clear();
  if (bodyEnded_) {
    input_.close();
  } else {
    input_.watch(0);
    call_.resumeBody();
  }
}

void ExecInvocation::onWritable() {
  readOutput();
}

void ExecInvocation::readOutput() {
  char part[16 * 1024];
  while (output_.isOpen()) {
    std::size_t wanted = exited_ ? std::min<std::size_t>(sizeof part, static_cast<std::size_t>(leftAfterExit_)) : sizeof part;
    ssize_t count = wanted == 0 ? 0 : ::read(output_.fd(), part, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && !exited_) break;
    if (count <= 0) {
      output_.close();
      break;
    }
    if (exited_) leftAfterExit_ -= static_cast<int>(count);
    if (!call_.headSent() && !call_.cancelled()) {
      std::array<net::Header, 1> headers = {net::Header{"Content-Type", invoker_.config_.contentType}};
      call_.sendHead(200, "OK", headers, {net::BodyKind::chunked, 0});
    }
    if (!call_.write({part, static_cast<std::size_t>(count)})) return output_.watch(0);  // go on in onWritable()
    if (!exited_) break;  // others want their turn; the pipe is looked at again
  }
  output_.watch(EPOLLIN);
  endIfDone();
}

void ExecInvocation::onExit(int status) {
  pid_ = 0;
  exited_ = true;
  status_ = status;
  input_.close();
  if (call_.cancelled()) {
    output_.close();
    return call_.released();
  }
  // Whoever inherited the pipe and lives on, outside the group that was killed, can't keep the answer open.
  if (output_.isOpen()) ::ioctl(output_.fd(), FIONREAD, &leftAfterExit_);
  output_.watch(0);
  readOutput();
}

void ExecInvocation::endIfDone() {
  if (!exited_ || output_.isOpen()) return;
  if (status_ != 0) return call_.fail(500, "crashed", "the program ended with " + describeWaitStatus(status_));
  if (!call_.headSent()) {
    std::array<net::Header, 1> headers = {net::Header{"Content-Type", invoker_.config_.contentType}};
    call_.sendHead(200, "OK", headers, {net::BodyKind::length, 0});
  }
  call_.finish();
}

void ExecInvocation::cancel() {
  failed_.cancel();
  input_.close();
  output_.close();
  if (pid_ == 0) return call_.released();
  ::kill(-pid_, SIGKILL);  // released when it is reaped
}

}  // namespace pilotlight::shim
