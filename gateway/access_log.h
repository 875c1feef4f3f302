// One JSON line per request, written by a thread of its own: logging never holds a request up.
//
// Each event loop pushes its lines into a ring of its own (LogWriter::channel), without a lock; the writer takes what has come
// some two hundred times a second and writes it in one go. A reader that is slow or gone, or a full disk, costs lines, which are
// counted, and nothing else. Thread-safety as told for each member.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "gateway/log_ring.h"
#include "net/socket.h"

namespace pilotlight::gateway {

/// Appends "text" as a JSON string, with quotes.
void appendJsonString(std::string& out, std::string_view text);

/// `{"ts":"2026-01-31T12:00:00.000Z","level":"…","component":"gateway","msg":"…"`: the start of every line.
void beginLogLine(std::string& out, std::string_view level, std::string_view message);

struct LogWriterOptions {
  /// Gets each line without its end, in the writer's thread. It may take its time, but must return for the writer to end.
  std::function<void(std::string_view line)> sink;
  int fd = 1;                          ///< without a sink: where the lines go. Not closed
  std::size_t ringBytes = 512 * 1024;  ///< of each channel
};

class LogWriter {
 public:
  explicit LogWriter(LogWriterOptions options);
  ~LogWriter();  ///< writes what is left, as far as that is taken soon

  /// A way in for one thread at a time.
  class Channel {
   public:
    Channel(LogWriter& writer, std::size_t bytes) : writer_(writer), ring_(bytes) {}
    /// One line without its end. Never waits.
    void write(std::string_view line);

   private:
    friend class LogWriter;
    LogWriter& writer_;
    LogRing ring_;
  };
  Channel& channel();  ///< any thread; lives as long as the writer

  /// One line without its end, for what is rare. Any thread.
  void write(std::string_view line);
  std::uint64_t dropped() const;  ///< lines; any thread

 private:
  void run();
  void collect(std::string& batch);
  void sleep();
  void emit(std::string_view batch);
  void writeOut(std::string_view batch);
  bool writable();  // false: told to end, and nobody takes anything
  ssize_t put(std::string_view part, bool socket);
  void drop(std::string_view lines);
  bool wait(std::chrono::milliseconds time);  // true: told to wake

  const LogWriterOptions options_;
  const net::Fd ownFd_;  // if it could be opened again, so as not to block
  const int fd_;
  const net::Fd wakeFd_;
  std::atomic<bool> sleeping_{false}, stopping_{false};
  std::atomic<std::uint64_t> lost_{0};  // lines that were taken from the rings, but could not be written
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Channel>> channels_;  // guarded by mutex_; the first is write()'s, used under mutex_
  // The writer's: bytes of a line have been written but not its end; and that line was given up there.
  bool inLine_ = false, torn_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace pilotlight::gateway
