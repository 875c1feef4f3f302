// One request given to one process. Internal to the exec runtime.
#pragma once

#include "runtime-shim/exec_invoker.h"

namespace pilotlight::shim {

class ExecInvocation final : public Invocation {
 public:
  ExecInvocation(ExecInvoker& invoker, Call& call);
  ~ExecInvocation() override;
  void begin() override;
  void onBody(std::string_view part) override;
  void onBodyEnd() override;
  void onWritable() override;
  void cancel() override;

 private:
  // A pipe's end on the loop.
  class Pipe final : public net::Pollable {
   public:
    Pipe(net::Loop& loop, std::function<void()> ready) : loop_(loop), ready_(std::move(ready)) {}
    ~Pipe() { close(); }
    void open(net::Fd fd) { fd_ = std::move(fd); }
    void close();
    void watch(std::uint32_t events);  ///< 0: not at all, also no hang-up
    int fd() const { return fd_.get(); }
    bool isOpen() const { return static_cast<bool>(fd_); }
    void onReady(std::uint32_t) override { ready_(); }

   private:
    net::Loop& loop_;
    std::function<void()> ready_;
    net::Fd fd_;
    bool watched_ = false;
  };

  std::string spawnProgram();  // empty, or what failed
  void writeInput();
  void readOutput();
  void onExit(int status);
  void sendOutput(std::string_view part);
  void endIfDone();

  ExecInvoker& invoker_;
  Call& call_;
  Pipe input_, output_;
  std::string pending_;  // of the body, when the pipe is full; at most one part
  bool bodyEnded_ = false;
  bool exited_ = false;
  int status_ = 0;         // as of wait(); valid if exited_
  int leftAfterExit_ = 0;  // bytes in the pipe when the program ended
  pid_t pid_ = 0;          // 0: not running
  std::string failure_;    // why the program could not be started
  net::Timer failed_;
};

}  // namespace pilotlight::shim
