// One request given to a native handler. Internal to the native runtime.
//
// Two sides: the loop's (Invocation) and the handler's thread (everything that kNativeApi calls). It is used again only after
// Job::done(), which comes after the thread's last word, so neither side can find another request in it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

#include "runtime-shim/invoker.h"
#include "runtime-shim/leader_followers.h"
#include "runtime-shim/log.h"
#include "runtime-shim/native_library.h"
#include "runtime-shim/owned_headers.h"

namespace pilotlight::shim {

class NativeInvocation final : public Invocation, private Job {
 public:
  /// `maxBody`: bytes kept in memory, of the request or the answer.
  NativeInvocation(LeaderFollowers& threads, const NativeLibrary& library, std::size_t maxBody, const Log& log);

  // The loop's side.
  void open(Call& call);  ///< may be called again after close()
  void close();
  void begin() override;
  void onBody(std::string_view part) override;
  void onBodyEnd() override;
  void onWritable() override;
  void cancel() override;

  // The thread's side. Views stay valid until the handler returns.
  std::string_view method() const { return method_; }
  std::string_view path() const { return path_; }
  std::string_view query() const { return query_; }
  std::string_view requestId() const { return requestId_; }
  const OwnedHeaders& headers() const { return headers_; }
  std::string_view param(std::string_view name) const { return params_.get(name); }
  std::int64_t deadlineMillis() const { return deadlineMillis_; }
  bool cancelled() const { return cancelled_; }
  std::int64_t read(char* buffer, std::size_t size);
  std::string_view wholeBody();
  void log(LogLevel level, std::string_view message) const;
  bool setStatus(int status);
  bool addHeader(std::string_view name, std::string_view value, bool replace);
  bool setBody(std::string_view body);
  bool append(std::string_view part);
  bool flush();

 private:
  enum class Phase : std::uint8_t { receiving, running, answering };

  void run() override;   // Job, on the thread
  void done() override;  // Job, on the loop

  void copyHead();
  std::string_view keep(std::string_view text);
  void submit();
  bool readWhole();
  template <class Condition>
  void wait(std::unique_lock<std::mutex>& lock, Condition condition);
  bool sendOutgoing();  // false: the client is slower
  void sendResponseHead(net::ResponseBody body);
  void endAnswer();

  LeaderFollowers& threads_;
  const NativeLibrary& library_;
  const std::size_t maxBody_;
  const Log& log_;
  Call* call_ = nullptr;

  // The request's head: constant once the handler runs.
  std::string line_;  // what the views look into
  std::string_view method_, path_, query_, requestId_;
  OwnedHeaders headers_, params_;
  std::int64_t deadlineMillis_ = 0;

  // Loop only.
  Phase phase_ = Phase::receiving;
  std::size_t sent_ = 0;  // of outgoing_

  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string incoming_;          // guarded by mutex_: body not yet read
  std::size_t incomingRead_ = 0;  // guarded by mutex_: of incoming_
  bool bodyEnded_ = false;        // guarded by mutex_
  bool bodyPaused_ = false;       // guarded by mutex_
  bool flushing_ = false;         // guarded by mutex_: the loop has outgoing_

  // The thread's while the handler runs and no flush is under way, else the loop's.
  std::string whole_;
  bool tooLarge_ = false, statusSet_ = false, flushed_ = false;
  int status_ = 200;
  int result_ = 0;  // of the handler
  OwnedHeaders responseHeaders_;
  std::string outgoing_;
};

}  // namespace pilotlight::shim
