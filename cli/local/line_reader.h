// Reads lines from a pipe of a process on an event loop.
// Thread-safety: loop thread only.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/socket.h"

namespace pilotlight::local {

class LineReader final : public net::Pollable {
 public:
  static constexpr std::size_t kMaxLine = 64 * 1024;  ///< a longer line is cut into several

  LineReader(net::Loop& loop, net::Fd fd, std::function<void(std::string_view line)> onLine);
  ~LineReader();
  LineReader(const LineReader&) = delete;

  /// Reads what is left, at most `maxBytes`, and hands out an unfinished last line. Nothing follows.
  void finish(std::size_t maxBytes);

 private:
  void onReady(std::uint32_t events) override;
  ssize_t readSome();  ///< as read(2); the lines have been handed out
  void take(std::string_view data);
  void close();

  net::Loop& loop_;
  net::Fd fd_;
  std::function<void(std::string_view)> onLine_;
  std::string line_;  // begun, not ended
};

}  // namespace pilotlight::local
