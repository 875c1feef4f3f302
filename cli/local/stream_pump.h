// Carries an endless answer (a watch, a log) from a blocking source on a thread of its own to a net::Loop.
//
// Bounded: the source is not asked for more while `window` bytes are not taken yet.
// Thread-safety: construct, taken() and destroy on the loop's thread; `emit` and `end` are called from the pump's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace pilotlight::local {

class StreamSource {
 public:
  virtual ~StreamSource() = default;
  /// nullopt: over. Empty: nothing within `wait`. One thread.
  virtual std::optional<std::string> next(std::chrono::milliseconds wait) = 0;
  /// Makes a waiting and every later next() return soon. Any thread.
  virtual void cancel() = 0;
};

class StreamPump {
 public:
  StreamPump(std::unique_ptr<StreamSource> source, std::function<void(std::string)> emit, std::function<void()> end,
             std::size_t window = 1U << 20);
  ~StreamPump();  ///< cancels and joins; no callback after this
  void taken(std::size_t bytes);

 private:
  void run();
  std::unique_ptr<StreamSource> source_;
  std::function<void(std::string)> emit_;
  std::function<void()> end_;
  const std::size_t window_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;  // guarded by mutex_: bytes emitted and not taken
  bool stopped_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace pilotlight::local
