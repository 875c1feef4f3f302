// Bytes on their way to a socket: one block for what is usual, a heap buffer for what a slow peer leaves behind.
// Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/wire.h"

namespace pilotlight::net {

class OutBuffer {
 public:
  explicit OutBuffer(Loop& loop) : loop_(loop) {}
  ~OutBuffer() { clear(); }
  OutBuffer(const OutBuffer&) = delete;

  std::size_t size() const { return (end_ - begin_) + (spill_.size() - spillBegin_); }
  bool empty() const { return size() == 0; }
  std::size_t footprint() const { return (block_ ? Loop::kBlockSize : 0) + spill_.size(); }  ///< bytes held, sent ones included
  void clear();

  void append(std::string_view data) {
    if (data.empty()) return;
    if (char* to = room(data.size())) {
      std::memcpy(to, data.data(), data.size());
      used(data.size());
    } else {
      appendSlowly(data);
    }
  }
  void append(char c) { append(std::string_view(&c, 1)); }
  void appendNumber(std::uint64_t value, int base = 10);
  /// Where the next `size` bytes may be written, to be told by used(); nullptr: use append().
  char* room(std::size_t size) { return block_ && spill_.empty() && size <= Loop::kBlockSize - end_ ? block_ + end_ : nullptr; }
  void used(std::size_t size) { end_ += size; }

  enum class Sent { all, blocked, failed };
  /// Sends what is there. `total` grows by what the kernel took.
  Sent flush(Wire& wire, std::uint64_t& total) { return sendThrough(wire, {}, total); }
  /// Sends `data` after what is there, copying only what the kernel does not take. For large parts.
  Sent sendThrough(Wire& wire, std::string_view data, std::uint64_t& total);

 private:
  void appendSlowly(std::string_view data);

  Loop& loop_;
  char* block_ = nullptr;
  std::size_t begin_ = 0, end_ = 0;  // of the block, sent before the spill
  std::string spill_;
  std::size_t spillBegin_ = 0;
};

constexpr std::size_t kSparingHighWater = 4 * 1024;  ///< unsent bytes of a connection while memory is short

/// How much one connection may do in one turn of the loop, so that a fast one does not keep the others and the timers
/// waiting: 64 steps, of at most a block or a request each.
class TurnBudget {
 public:
  bool mayWork(Clock::time_point turn, int steps = 64) {
    if (turn != turn_) {
      turn_ = turn;
      left_ = steps;
    }
    return left_-- > 0;
  }

 private:
  Clock::time_point turn_{};
  int left_ = 0;
};

}  // namespace pilotlight::net
