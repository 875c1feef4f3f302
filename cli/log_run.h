// One run of a pod's container, and its log. Thread-safety: a LogRun belongs to one thread; what it is given is shared.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "cli/commands.h"

namespace pilotlight::cli {

/// The output, line by line, for several threads.
class LineSink {
 public:
  explicit LineSink(std::ostream& out) : out_(out) {}
  void print(const std::string& prefix, std::string_view line);
  void flush();
  bool closed() const { return closed_; }  ///< nobody reads any more

 private:
  std::mutex mutex_;
  std::ostream& out_;  // guarded by mutex_
  std::atomic<bool> closed_ = false;
};

struct RunId {
  std::string pod, uid;
  std::int64_t restarts = 0;
  auto operator<=>(const RunId&) const = default;
};
/// The run of the function's container that has begun; nullopt: none has, or this is no pod.
std::optional<RunId> runOf(const kube::Object& pod);
/// Whether this very run goes on.
bool stillRuns(const kube::Object& pod, const RunId& run);

class LogRun {
 public:
  LogRun(kube::Transport& transport, std::string namespace_, RunId run, const LogOptions& options, LineSink& sink);

  enum class End { over, cut };
  /// Prints what comes until the server ends the stream (over), the connection breaks (cut), or stop is asked for. Called
  /// again it goes on after the last line printed.
  kube::Result<End> read(const std::stop_token& stop);
  const RunId& run() const { return run_; }

 private:
  std::string target() const;
  void printLine(std::string_view line);

  kube::Transport& transport_;
  const std::string namespace_;
  const RunId run_;
  const LogOptions options_;
  LineSink& sink_;
  std::string prefix_;
  std::string last_, resumedFrom_;  // time of the last line printed: now, and when the stream was opened
};

}  // namespace pilotlight::cli
