// One JSON line per request, written by a thread of its own from a bounded buffer: logging never holds a request up.
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace pilotlight::gateway {

/// Appends "text" as a JSON string, with quotes.
void appendJsonString(std::string& out, std::string_view text);

/// `{"ts":"2026-01-31T12:00:00.000Z","level":"…","component":"gateway","msg":"…"`: the start of every line.
void beginLogLine(std::string& out, std::string_view level, std::string_view message);

class LogWriter {
 public:
  using Sink = std::function<void(std::string_view line)>;
  explicit LogWriter(Sink sink, std::size_t maxBytes = 1 << 20);
  ~LogWriter();  ///< writes what is left
  /// One line without its end. Dropped and counted when the buffer is full.
  void write(std::string_view line);
  std::uint64_t dropped() const;

 private:
  void run();
  const Sink sink_;
  const std::size_t maxBytes_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string pending_;  // lines with their ends; guarded by mutex_, as all below
  std::uint64_t dropped_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace pilotlight::gateway
